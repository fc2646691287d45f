"""`seedwatch seeds`."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import (
    TROUBLE,
    config_option,
    json_option,
    one_line,
    open_house,
    organisation_id,
    print_json,
    print_table,
    printable,
    read_bounded,
)
from monitor.core.errors import (
    AgainLaterError,
    BadInputError,
    PersonNeededError,
    SeedwatchError,
)
from monitor.core.providers import provider_of_mx
from monitor.core.seedlist import MAX_BYTES, read_seed_list
from monitor.core.seeds import SeedEntry
from monitor.lookups.dns import DnsResolver
from monitor.mailboxes.kinds import READERS
from monitor.store import seeds as rows
from monitor.store.columns import saved
from monitor.store.tables import SeedRow
from monitor.wiring import House

DEFAULT_LIST = "default"
AT_ONCE = 16  # mailboxes that are checked in parallel

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
    security, reader, tenant. Where the provider is left empty, the DNS is asked. All or
    nothing: with a line that cannot be understood, nothing is imported.
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


@dataclass(frozen=True, slots=True)
class Checked:
    """What trying one seed mailbox showed."""

    address: str
    provider: str
    ok: bool
    says: str


@seeds.command("check")
@config_option
@list_option
@json_option
def check(config: Path, name: str, as_json: bool) -> None:
    """Sign in to every seed mailbox and look into it, without changing anything.

    Exit status 1 if any of them cannot be read.
    """
    with open_house(config) as house, Session(house.engine) as session:
        newest = rows.newest_list(session, organisation_id(session), name)
        members = rows.of_list(session, saved(newest.id))
        done = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for one in pool.map(lambda seed: _check(house, seed), members):
                done.append(one)
                if not as_json:
                    click.echo(f"[{len(done)}/{len(members)}] {one.address}: {one.says}", err=True)
    if as_json:
        print_json([asdict(one) for one in done])
    else:
        print_table(
            ("seed", "provider", "state", ""),
            [(o.address, o.provider, "ok" if o.ok else "FAILS", o.says) for o in done],
        )
    if not all(one.ok for one in done):
        raise click.exceptions.Exit(TROUBLE)


def _check(house: House, seed: SeedRow) -> Checked:
    try:
        house.mailboxes.get(seed).look([])
    except SeedwatchError as error:
        return Checked(seed.address, seed.provider, ok=False, says=str(error))
    return Checked(seed.address, seed.provider, ok=True, says="can be read")


@seeds.command("reseal")
@config_option
def reseal(config: Path) -> None:
    """Seal every mailbox password anew, with the newest key of [secrets].

    The last step before an old key can go. Exit status 1 if a password fits no key.
    """
    with open_house(config) as house, Session(house.engine) as session:
        sealed = [s for s in rows.of_organisation(session, organisation_id(session)) if s.secret]
        lost = [seed.address for seed in sealed if not _resealed(house, seed)]
        session.commit()
    click.echo(f"Sealed {len(sealed) - len(lost)} of {len(sealed)} passwords with the newest key.")
    if lost:
        raise PersonNeededError(
            f"{len(lost)} passwords fit no key: {', '.join(lost[:5])}.",
            remedy="Put their key back into [secrets], or import these seeds again.",
        )


def _resealed(house: House, seed: SeedRow) -> bool:
    try:
        seed.secret = house.vault.reseal(f"seed:{seed.address}", seed.secret)
    except PersonNeededError:
        return False
    return True
