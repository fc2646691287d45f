"""What every command shares: where the configuration is, how trouble is told."""

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlmodel import Session, select

from monitor.core.clock import SystemClock
from monitor.core.errors import BadInputError, SeedwatchError
from monitor.settings import Settings, load_settings
from monitor.settings.sections import Web
from monitor.store.columns import saved
from monitor.store.engine import need_database, upgrade
from monitor.store.tables import OrganisationRow
from monitor.wiring import House, build

TROUBLE, USAGE = 1, 2
ASK_DOCTOR = "seedwatch doctor looks for the cause."
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
            said, status = str(error), USAGE
        except SeedwatchError as error:
            said, status = str(error), TROUBLE
        except SQLAlchemyError as error:
            said, status = f"the database failed: {reason_of(error)}. {ASK_DOCTOR}", TROUBLE
        except BrokenPipeError:  # whoever read our output has gone: click ends quietly
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            said, status = f"{where}{error.strerror or error}. {ASK_DOCTOR}", TROUBLE
        click.echo(f"seedwatch: {said}", err=True)
        return sys.exit(status)


def reason_of(error: SQLAlchemyError) -> str:
    """Say why the database refused, without what it was given: that may be a secret.

    Only troubles of the database itself tell in their own words; the others quote values.
    """
    if type(error) in {DatabaseError, OperationalError}:
        return " ".join(str(getattr(error, "orig", "")).split())
    return type(error).__name__


def one_line(limit: int) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make a check for what is typed: at most *limit* characters, all of them printable."""

    def check(_context: click.Context, parameter: click.Parameter, typed: Any) -> Any:  # noqa: ANN401 - as click has it
        for text in typed if isinstance(typed, tuple) else (typed,):
            if len(text) > limit:
                problem, remedy = "is too long", f"Keep it below {limit + 1} characters."
            elif not text.isprintable():
                problem, remedy = "holds characters that cannot be shown", "Type plain text."
            else:
                continue
            raise BadInputError(parameter.opts[0], text, problem, remedy=remedy)
        return typed

    return check


def read_bounded(path: Path, limit: int) -> bytes:
    """Read *path*, but of what is longer than *limit* bytes only one byte more."""
    with path.open("rb") as file:
        return file.read(limit + 1)


@contextmanager
def open_house(
    config: Path, *, port: int | None = None, may_create: bool = False
) -> Iterator[House]:
    """Wire a Seedwatch from *config*, its database brought up to date.

    Args:
        port: of the dashboard, if it is another than the configured one.
        may_create: a SQLite file that is not there is made, instead of being an error.
    """
    settings = load_settings(config)
    if not may_create:
        need_database(settings.database.url)
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


def printable(text: str) -> str:
    """Return *text* on one line, with a blank for each character that shows nothing."""
    return "".join(c if c.isprintable() else " " for c in text)


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns; nothing is cut off, and nothing can steer the terminal."""
    lines = [[printable(str(cell)) for cell in row] for row in [head, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
