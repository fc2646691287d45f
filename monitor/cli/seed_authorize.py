"""`seedwatch seeds authorize`."""

from datetime import timedelta
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import config_option, one_line, open_house, organisation_id, printable
from monitor.core.errors import BadInputError, NotFoundError
from monitor.core.providers import nearest
from monitor.oauth import OAuthClient
from monitor.oauth import authorize as get_grant
from monitor.store import seeds as rows
from monitor.store.tables import SeedRow
from monitor.wiring import House
from monitor.wiring.tokens import OAuthClients


@click.command("authorize")
@config_option
@click.argument("address", callback=one_line(320))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the browser comes back to on this machine; 0 for any port that is free.",
)
@click.option(
    "--minutes",
    type=click.IntRange(1, 60),
    default=15,
    show_default=True,
    help="How long to wait for you to agree.",
)
def authorize(config: Path, address: str, port: int, minutes: int) -> None:
    """Let Seedwatch into the mailbox ADDRESS by OAuth, once, in a browser.

    The seed names an [oauth.NAME] of the configuration in its column "oauth". What the
    provider gives (a refresh token) is sealed into the seed; nobody's password is asked for.
    """
    with open_house(config) as house, Session(house.engine) as session:
        seed = _seed(session, address)
        name, mailbox = seed.oauth, seed.address
        client = _client(house, seed)
        session.rollback()  # no transaction waits for a person
        token = get_grant(
            client,
            lambda line: click.echo(printable(line), err=True),
            clock=house.clock,
            limit=timedelta(minutes=minutes),
            address=mailbox,
            port=port,
        )
        rows.keep_grant(session, mailbox, name, token, house.vault)
        session.commit()
    click.echo(f"Seedwatch may now read {mailbox}.")
    click.echo(f"Next: seedwatch seeds check --only {mailbox}")


def _seed(session: Session, address: str) -> SeedRow:
    """Find the seed.

    Raises:
        NotFoundError: there is no such seed.
        BadInputError: it does not sign in by OAuth.
    """
    known = rows.of_organisation(session, organisation_id(session))
    for seed in known:
        if seed.address.lower() == address.lower():
            break
    else:
        raise NotFoundError(
            f"there is no seed {address!r}.",
            remedy=nearest(address, [seed.address for seed in known])[:300]
            if known
            else "Import it: seedwatch seeds import FILE",
        )
    if not seed.oauth:
        raise BadInputError(
            "oauth",
            "",
            f"is empty for {seed.address}: it signs in with a password",
            remedy="Name an [oauth.NAME] in the column oauth of its seed list, and import it.",
        )
    return seed


def _client(house: House, seed: SeedRow) -> OAuthClient:
    return OAuthClients(house.settings).of(seed.oauth, seed.reader)
