"""`seedwatch exposure`: how much of a list of recipients is where."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click
from sqlmodel import Session

from monitor.cli.context import (
    config_option,
    json_option,
    one_line,
    open_house,
    organisation_id,
    print_json,
    print_table,
    printable,
)
from monitor.core.audience_file import MAX_LINE, Audience, bounded_lines, read_audience
from monitor.core.crossing import crossed
from monitor.core.errors import BadInputError
from monitor.core.exposure import OTHER, UNKNOWN, Exposure, Share
from monitor.core.exposure import exposure as reckon
from monitor.store import audiences, own_incidents
from monitor.store.incidents import all_incidents
from monitor.wiring import House

MAX_BYTES = 200_000_000
WITHIN_S = 600.0  # asking the DNS
_NOBODYS = {OTHER: "other providers", UNKNOWN: "unknown: no answer"}


@click.command("exposure")
@config_option
@json_option
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--sender",
    default="",
    metavar="DOMAIN",
    callback=one_line(253),
    help="Whose list it is.  [default: the whole organisation's]",
)
def exposure(config: Path, as_json: bool, file: str | None, sender: str) -> None:
    """Say how much of a list each mailbox provider receives, and what is wrong there now.

    FILE is CSV: addresses, or domain and count. Addresses are never kept, and the DNS is
    asked about their domains only. Without FILE, what was found the last time is shown.
    """
    with open_house(config) as house, Session(house.engine) as session:
        owner = organisation_id(session)
        whose = audiences.sender_of(session, owner, sender) if sender else None
        if file is not None:
            audience = _read(Path(file))
            found = _asked(house, audience)
            audiences.keep(session, owner, whose, found, now=house.clock.now())
            session.commit()
            _say_skipped(audience)
        known = audiences.find(session, owner, whose)
        if known is None:
            raise BadInputError("FILE", "", "is missing", remedy="Name a CSV file of recipients.")
        names = {provider: facts.name for provider, facts in house.facts.items()}
        mine = own_incidents.own(session, owner, now=house.clock.now())
        told = crossed(known.exposure, own_incidents.seen(all_incidents(session), mine), names)
    if as_json:
        print_json({"measured_at": known.measured_at} | known.exposure.as_json() | {"now": told})
    else:
        _print(known.exposure, names, told)


def _read(file: Path) -> Audience:
    if file.stat().st_size > MAX_BYTES:
        remedy = "Give a part of it, or domain and count."
        raise BadInputError("FILE", str(file), "is larger than 200 MB", remedy=remedy)
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
        return read_audience(bounded_lines(_pieces(opened), name=str(file)), name=str(file))


def _pieces(opened: TextIO) -> Iterator[str]:
    """Lines, none of which fills the memory; no more of them than MAX_BYTES allow."""
    size = 0
    while (piece := opened.readline(MAX_LINE + 1)) and size <= MAX_BYTES:
        size += len(piece)
        yield piece


def _asked(house: House, audience: Audience) -> Exposure:
    """Ask for the largest domains first, as there is an end to asking."""
    names = [domain for domain, _ in audience.domains.most_common()]
    click.echo(f"Asking the DNS about {len(names)} domains.", err=True)
    return reckon(audience.domains, house.mail_hosts.providers_of(names, within_s=WITHIN_S))


def _say_skipped(audience: Audience) -> None:
    if audience.skipped:
        lines = ", ".join(map(str, audience.first_skipped))
        noun = "line names" if audience.skipped == 1 else "lines name"
        click.echo(f"{audience.skipped} {noun} no recipient, the first: {lines}.", err=True)


def _print(found: Exposure, names: dict[str, str], told: list[str]) -> None:
    print_table(
        ("provider", "recipients", "share"),
        [(_name(share, names), share.recipients, share.words) for share in found.shares],
    )
    click.echo(f"{found.total} recipients.")
    if found.unknown:
        click.echo("Where the DNS gave no answer, ask again later: answers are not guessed.")
    for sentence in told:
        click.echo(printable(sentence))


def _name(share: Share, names: dict[str, str]) -> str:
    return names.get(share.provider) or _NOBODYS.get(share.provider, share.provider)
