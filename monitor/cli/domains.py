"""`seedwatch domains`: From domains, and the records that prove whose they are."""

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
    print_table,
)
from monitor.cli.sending import commit_once
from monitor.core.addresses import AddressError, checked_host
from monitor.core.domain_proof import record_for
from monitor.core.errors import BadInputError
from monitor.steps.prove import look
from monitor.store import domains as rows
from monitor.store.route_tables import DomainRow
from monitor.wiring import House
from monitor.wiring.lookups import ask_texts


@click.group()
def domains() -> None:
    """From domains: alerts about one go out once it is proven to be yours."""


@domains.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """Show all From domains, and which of them are proven."""
    with open_house(config) as house, Session(house.engine) as session:
        found = rows.of_organisation(session, organisation_id(session))
    if as_json:
        print_json([_as_json(row) for row in found])
        return
    print_table(
        ("domain", "state", "last looked at (UTC)", ""),
        [(row.domain, _state(row), _at(row), row.problem) for row in found],
    )


@domains.command("check")
@config_option
@json_option
@click.argument("domain")
def check(config: Path, as_json: bool, domain: str) -> None:
    """Look now whether DOMAIN is proven, and say what to publish if it is not.

    A domain that is new here gets its record. Exit status 1 if it is not proven.
    """
    name = checked_domain("DOMAIN", domain)
    with open_house(config) as house, Session(house.engine) as session:
        row = commit_once(session, lambda: _looked_at(session, house, name))
        is_proven = rows.is_proven(session, row.organisation_id, row.domain)
        told = _as_json(row) | {"proven": is_proven}
        said = _says(row, is_proven=is_proven)
    if as_json:
        print_json(told)
    else:
        click.echo(said)
    if not is_proven:
        raise click.exceptions.Exit(TROUBLE)


def checked_domain(field: str, typed: str) -> str:
    """Return a domain as the DNS has it.

    Raises:
        BadInputError: it is none, or only a top-level one.
    """
    try:
        name = checked_host(typed.strip().rstrip("."))
    except AddressError as error:
        remedy = "Write it as example.org."
        raise BadInputError(field, typed, "is no domain", remedy=remedy) from error
    if "." not in name:
        raise BadInputError(field, typed, "is no complete domain", remedy="Write example.org.")
    return name


def to_publish(row: DomainRow) -> str:
    """Say what must stand in the DNS before alerts about this domain go out."""
    return (
        f"To be told of trouble with mail from {row.domain}, prove that it is yours. Publish:\n"
        f"  {record_for(row.domain, row.token)}\n"
        f"Then: seedwatch domains check {row.domain}"
    )


def with_proof(
    session: Session, house: House, from_address: str, said: dict[str, object]
) -> dict[str, object]:
    """Claim the From domain of a test, and add to what is said what would prove it."""
    owner, domain = organisation_id(session), from_address.rpartition("@")[2]
    if rows.is_proven(session, owner, domain) or not _must_prove(house):
        return said
    now, rng = house.clock.now(), house.rng
    row = commit_once(session, lambda: rows.claim(session, owner, domain, now=now, rng=rng))
    return said | {"says": f"{said['says']}\n{to_publish(row)}", "domain": _as_json(row)}


def _looked_at(session: Session, house: House, name: str) -> DomainRow:
    now = house.clock.now()
    row = rows.claim(session, organisation_id(session), name, now=now, rng=house.rng)
    look(session, [row], ask_texts(house), now=now)
    session.flush()
    return row


def _says(row: DomainRow, *, is_proven: bool) -> str:
    if row.proven_at is not None and not row.problem:
        return f"{row.domain} is proven."
    if row.proven_at is not None:
        return (
            f"{row.domain} is proven, but {row.problem}. The proof is withdrawn after a week.\n"
            f"Publish again:\n  {record_for(row.domain, row.token)}"
        )
    if is_proven:
        return f"{row.domain} is proven by a domain above it."
    return f"{row.domain} is not proven: {row.problem}.\n{to_publish(row)}"


def _state(row: DomainRow) -> str:
    if row.proven_at is not None:
        return f"proven {row.proven_at:%Y-%m-%d}"
    return f"withdrawn {row.withdrawn_at:%Y-%m-%d}" if row.withdrawn_at else "not proven"


def _at(row: DomainRow) -> str:
    return f"{row.checked_at:%Y-%m-%d %H:%M}" if row.checked_at else "never"


def _as_json(row: DomainRow) -> dict[str, object]:
    record = record_for(row.domain, row.token)
    return {
        "domain": row.domain,
        "proven": row.proven_at is not None,
        "proven_at": row.proven_at,
        "checked_at": row.checked_at,
        "missing_since": row.missing_since,
        "withdrawn_at": row.withdrawn_at,
        "problem": row.problem or None,
        "publish": {"name": record.name, "type": "TXT", "text": record.text},
    }


def _must_prove(house: House) -> bool:
    """Are alerts held back until a domain is proven?"""
    return house.settings.alerts.prove_domains
