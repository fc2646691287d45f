"""`seedwatch keys`: who may use the API."""

from datetime import timedelta
from pathlib import Path

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
)
from monitor.cli.sending import span
from monitor.core.scopes import Scope
from monitor.store import api_keys as rows
from monitor.store.route_tables import ApiKeyRow

LONGEST = timedelta(days=3660)


@click.group()
def keys() -> None:
    """Keys of the API, by which other programs ask and tell (docs/api.md)."""


@keys.command("create")
@config_option
@json_option
@click.argument("name", callback=one_line(200))
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; may be repeated.  [default: read everything]",
)
@click.option("--expires", default="", help='After so long it is void: "90d".  [default: never]')
def create(config: Path, as_json: bool, name: str, scopes: tuple[str, ...], expires: str) -> None:
    """Make a key called NAME, after who will use it, and print it. It is shown this once.

    Give it as a header: Authorization: Bearer KEY
    """
    lifetime = span("--expires", expires, most=LONGEST) if expires else None
    wanted = [Scope(scope) for scope in scopes] or [scope for scope in Scope if scope.only_reads]
    with open_house(config) as house, Session(house.engine) as session:
        now = house.clock.now()
        row, key = rows.create(
            session,
            organisation_id(session),
            name,
            wanted,
            expires_at=now + lifetime if lifetime else None,
            now=now,
            rng=house.rng,
        )
        session.commit()
        if as_json:
            print_json(_as_json(row, "valid") | {"key": key})
            return
    click.echo(key)
    click.echo("Keep it as you keep a password: nobody can show it again.", err=True)


@keys.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """Show all keys by their first characters, and when each was used last."""
    with open_house(config) as house, Session(house.engine) as session:
        now = house.clock.now()
        found = [
            (row, rows.state(row, now=now))
            for row in rows.of_organisation(session, organisation_id(session))
        ]
    if as_json:
        print_json([_as_json(row, state) for row, state in found])
        return
    print_table(
        ("key", "name", "state", "last used (UTC)", "may"),
        [
            (
                f"{row.prefix}...",
                row.name,
                state,
                f"{row.used_at:%Y-%m-%d %H:%M}" if row.used_at else "never",
                ", ".join(row.scopes),
            )
            for row, state in found
        ],
    )


@keys.command("revoke")
@config_option
@click.argument("prefix", callback=one_line(rows.MAX_KEY))
def revoke(config: Path, prefix: str) -> None:
    """Shut the key that begins with PREFIX, as `keys list` shows it, at once and for good."""
    with open_house(config) as house, Session(house.engine) as session:
        owner = organisation_id(session)
        row = rows.revoke(session, owner, prefix.rstrip("."), now=house.clock.now())
        session.commit()
        click.echo(f"Revoked {row.prefix}... ({row.name}).")


def _as_json(row: ApiKeyRow, state: str) -> dict[str, object]:
    return {
        "prefix": row.prefix,
        "name": row.name,
        "state": state,
        "scopes": row.scopes,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "used_at": row.used_at,
    }
