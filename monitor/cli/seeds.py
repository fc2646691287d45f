"""`seedwatch seeds`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import (
    config_option,
    one_line,
    open_house,
    organisation_id,
    printable,
    read_bounded,
)
from monitor.core.errors import (
    AgainLaterError,
    BadInputError,
    PersonNeededError,
)
from monitor.core.providers import provider_of_mx
from monitor.core.seedlist import MAX_BYTES, read_seed_list
from monitor.core.seeds import SeedEntry
from monitor.lookups.dns import DnsResolver
from monitor.mailboxes.kinds import READERS
from monitor.store import route_secrets
from monitor.store import seeds as rows
from monitor.store.tables import SeedRow
from monitor.wiring import House

DEFAULT_LIST = "default"

list_option = click.option(
    "--list",
    "name",
    default=DEFAULT_LIST,
    show_default=True,
    callback=one_line(100),
    help="Name of the seed list.",
)


@click.group()
def seeds() -> None:
    """Seed lists: the test mailboxes that receive your campaigns."""


@seeds.command("import")
@config_option
@list_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(config: Path, name: str, file: Path) -> None:
    """Read seeds from a CSV FILE and make them the next version of the list.

    Columns: address, and if you like provider, region, username, password, host, port,
    security, reader, tenant, oauth, drop. Where the provider is left empty, the DNS is asked.
    All or nothing: with a line that cannot be understood, nothing is imported.
    """
    data = read_bounded(file, MAX_BYTES)
    with open_house(config) as house, Session(house.engine) as session:
        entries = _with_providers(house, _entries(house, data, file))
        made = rows.import_list(
            session,
            entries,
            organisation_id=organisation_id(session),
            name=name,
            vault=house.vault,
            now=house.clock.now(),
        )
        session.commit()
        click.echo(f"Imported {len(entries)} seeds as version {made.version} of list {name!r}.")
    click.echo("Next: seedwatch seeds check")


def _entries(house: House, data: bytes, file: Path) -> Sequence[SeedEntry]:
    """The seeds of a list of which every line can be understood."""
    found = read_seed_list(data, providers=house.facts, readers=READERS)
    for problem in found.problems:
        place = f"{file}, line {problem.line}" if problem.line else str(file)
        click.echo(printable(f"{place}: {problem.message}"), err=True)
    if found.problems or not found.entries:
        raise BadInputError(
            "seed list", str(file), "was not imported", remedy="Mend this, then try again."
        )
    return found.entries


def _with_providers(house: House, entries: Sequence[SeedEntry]) -> list[SeedEntry]:
    resolver = DnsResolver(None, timeout_s=5)
    known: dict[str, str] = {}
    for entry in entries:
        domain = entry.address.rpartition("@")[2]
        if not entry.provider and domain not in known:
            known[domain] = _provider_of(house, resolver, domain)
    return [
        entry
        if entry.provider
        else replace(entry, provider=known[entry.address.rpartition("@")[2]])
        for entry in entries
    ]


def _provider_of(house: House, resolver: DnsResolver, domain: str) -> str:
    try:
        found = provider_of_mx(resolver.mx(domain), house.facts)
    except AgainLaterError as error:
        raise BadInputError(
            "provider",
            "",
            f"of {domain} could not be looked up ({error.what})",
            remedy="Write it into the provider column.",
        ) from error
    return found or "corporate"


@seeds.command("reseal")
@config_option
def reseal(config: Path) -> None:
    """Seal every mailbox password, and the secrets of routes, with the newest key of [secrets].

    The last step before an old key can go. Exit status 1 if a password fits no key.
    """
    with open_house(config) as house, Session(house.engine) as session:
        sealed = [s for s in rows.of_organisation(session, organisation_id(session)) if s.secret]
        lost = [seed.address for seed in sealed if not _resealed(house, seed)]
        of_routes, lost_routes = route_secrets.reseal(session, house.vault)
        session.commit()
    click.echo(f"Sealed {len(sealed) - len(lost)} of {len(sealed)} passwords with the newest key.")
    if of_routes:
        click.echo(f"Sealed the secrets of {of_routes} routes.")
    lost += lost_routes
    if lost:
        raise PersonNeededError(
            f"{len(lost)} passwords fit no key: {', '.join(lost[:5])}.",
            remedy="Put their key back into [secrets], or enter them again.",
        )


def _resealed(house: House, seed: SeedRow) -> bool:
    try:
        seed.secret = house.vault.reseal(f"seed:{seed.address}", seed.secret)
    except PersonNeededError:
        return False
    return True
