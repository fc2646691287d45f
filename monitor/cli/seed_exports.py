"""`seedwatch seeds export` and `diff`: the list for a mail service, and what became of it there."""

import re
from dataclasses import asdict
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import (
    TROUBLE,
    config_option,
    json_option,
    open_house,
    organisation_id,
    print_json,
    printable,
    read_bounded,
)
from monitor.cli.seeds import list_option
from monitor.core.errors import BadInputError
from monitor.core.esp_lists import (
    SHAPES,
    Difference,
    EspList,
    difference,
    read_esp_list,
    shuffled,
    write_esp_list,
)
from monitor.core.seedlist import MAX_BYTES, write_seed_list
from monitor.core.seeds import SeedEntry
from monitor.store import seeds as rows
from monitor.store.columns import saved
from monitor.store.tables import SeedRow

SHOWN = 20  # addresses of each kind; JSON has all


@click.command("export")
@config_option
@list_option
@click.option(
    "--for",
    "service",
    type=click.Choice(tuple(SHAPES)),
    help="Addresses only, in the form that this mail service imports.",
)
@click.option(
    "--shuffle/--no-shuffle",
    default=None,
    help="In an order drawn by lot, the same each time for a version.  [default: with --for]",
)
def export(config: Path, name: str, service: str | None, shuffle: bool | None) -> None:
    """Print the newest version of the list as CSV, without passwords.

    With --for, standard error says which version it is, and how to name the file.
    """
    with open_house(config) as house, Session(house.engine) as session:
        newest = rows.newest_list(session, organisation_id(session), name)
        entries = {s.address: _entry(s) for s in rows.of_list(session, saved(newest.id))}
    order = list(entries)
    if shuffle or (shuffle is None and service is not None):
        order = shuffled(order, name=name, version=newest.version)
    if service is None:
        click.echo(write_seed_list(entries[address] for address in order), nl=False)
        return
    click.echo(write_esp_list(order, SHAPES[service]), nl=False)
    file_name = f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}-v{newest.version}-{service}.csv"
    click.echo(
        printable(
            f"Version {newest.version} of list {name!r}: {len(order)} seeds for {service}. "
            f"A good name for the file: {file_name}"
        ),
        err=True,
    )


@click.command("diff")
@config_option
@list_option
@json_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def diff(config: Path, name: str, as_json: bool, file: Path) -> None:
    """Compare FILE, a list that your mail service exported, with the newest seed list.

    Any CSV will do that has a column of addresses. Exit status 1 if they differ.
    """
    theirs = read_esp_list(read_bounded(file, MAX_BYTES))
    for problem in theirs.problems:
        place = f"{file}, line {problem.line}" if problem.line else str(file)
        click.echo(printable(f"{place}: {problem.message}"), err=True)
    if not theirs.column:
        raise BadInputError(
            "list of the service", file.name, "cannot be read", remedy="Export it again, as CSV."
        )
    with open_house(config) as house, Session(house.engine) as session:
        newest = rows.newest_list(session, organisation_id(session), name)
        ours = [seed.address for seed in rows.of_list(session, saved(newest.id))]
    found = difference(ours, theirs.addresses)
    if as_json:
        print_json(
            {
                "list": name,
                "version": newest.version,
                "seeds": len(ours),
                "there": len(theirs.addresses),
                "column": theirs.column,
                "unreadable": len(theirs.problems),
                **asdict(found),
            }
        )
    else:
        _tell(found, theirs, f"version {newest.version} of list {name!r}")
    if found.missing or found.extra:
        raise click.exceptions.Exit(TROUBLE)


def _tell(found: Difference, theirs: EspList, ours: str) -> None:
    count = len(theirs.addresses)
    click.echo(printable(f"The service has {count} addresses (column {theirs.column})."))
    if not (found.missing or found.extra):
        click.echo(printable(f"They are exactly the seeds of {ours}."))
        return
    _list(found.missing, f"Seeds of {ours} that it lacks; add them")
    _list(found.extra, f"Addresses that it has and that are no seeds of {ours}")


def _list(addresses: tuple[str, ...], sentence: str) -> None:
    if not addresses:
        return
    click.echo(printable(f"{sentence} ({len(addresses)}):"))
    for address in addresses[:SHOWN]:
        click.echo(f"  {printable(address)}")
    if len(addresses) > SHOWN:
        click.echo(f"  and {len(addresses) - SHOWN} more; --json lists all.")


def _entry(seed: SeedRow) -> SeedEntry:
    return SeedEntry(
        address=seed.address,
        provider=seed.provider,
        region=seed.region,
        username=seed.username,
        host=seed.host,
        port=seed.port,
        security=seed.security if seed.host else None,
        reader=seed.reader,
        tenant=seed.tenant,
        oauth=seed.oauth,
        drop=seed.drop,
    )
