"""What every command shares: where the configuration is, how trouble is told."""

import json
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlmodel import Session, select

from monitor.core.clock import SystemClock
from monitor.core.errors import BadInputError, SeedwatchError
from monitor.settings import Settings, load_settings
from monitor.settings.sections import Web
from monitor.store.columns import saved
from monitor.store.engine import upgrade
from monitor.store.tables import OrganisationRow
from monitor.wiring import House, build

TROUBLE, USAGE = 1, 2
ORGANISATION = "Default"  # until there are accounts, everything belongs to one


config_option = click.option(
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SEEDWATCH_CONFIG",
    default=Path("config.toml"),
    show_default=True,
    help="The configuration that `seedwatch init` wrote.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Door(click.Group):
    """A group whose commands end with a sentence, not with a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BadInputError as error:
            click.echo(f"seedwatch: {error}", err=True)
            sys.exit(USAGE)
        except SeedwatchError as error:
            click.echo(f"seedwatch: {error}", err=True)
            sys.exit(TROUBLE)


@contextmanager
def open_house(config: Path, *, port: int | None = None) -> Iterator[House]:
    """Wire a Seedwatch from *config*, its database brought up to date.

    Args:
        port: of the dashboard, if it is another than the configured one.
    """
    settings = load_settings(config)
    if port is not None:
        settings = on_port(settings, port)
    house = build(settings, clock=SystemClock(), rng=random.SystemRandom())
    try:
        upgrade(house.engine)
        yield house
    finally:
        house.close()


def on_port(settings: Settings, port: int) -> Settings:
    """Return *settings* with the dashboard, and the links that lead to it, on *port*."""
    web = Web(**{**settings.web.model_dump(exclude_unset=True), "port": port})
    return settings.model_copy(update={"web": web})


def organisation_id(session: Session) -> int:
    """Return the one organisation's id; make it if this is the first use."""
    known = session.exec(select(OrganisationRow).order_by(OrganisationRow.id)).first()  # type: ignore[arg-type]
    if known is None:
        known = OrganisationRow(name=ORGANISATION)
        session.add(known)
        session.flush()
    return saved(known.id)


def print_json(document: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Print *document*, times in ISO 8601."""
    click.echo(json.dumps(document, indent=1, default=str, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns; nothing is cut off."""
    lines = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
