"""Seeds and seed lists as rows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from monitor.core.errors import NotFoundError
from monitor.core.seeds import Account, Endpoint, ProviderFacts, Security, SeedEntry
from monitor.store.columns import saved
from monitor.store.secrets import Vault
from monitor.store.tables import SeedListRow, SeedListSeedRow, SeedRow


def import_list(
    session: Session,
    entries: Sequence[SeedEntry],
    *,
    organisation_id: int,
    name: str,
    vault: Vault,
    now: datetime,
) -> SeedListRow:
    """Write *entries* as the next version of list *name*; the caller commits.

    A seed that is known already (by address) takes over what the entry says; an empty
    password keeps the stored one.
    """
    newest = session.exec(
        select(func.max(SeedListRow.version)).where(
            col(SeedListRow.organisation_id) == organisation_id, col(SeedListRow.name) == name
        )
    ).one()
    seed_list = SeedListRow(
        organisation_id=organisation_id, name=name, version=(newest or 0) + 1, created_at=now
    )
    session.add(seed_list)
    known = {seed.address: seed for seed in of_organisation(session, organisation_id)}
    for entry in entries:
        seed = known.get(entry.address) or SeedRow(
            organisation_id=organisation_id, address=entry.address, provider=entry.provider
        )
        _take_over(seed, entry, vault)
        session.add(seed)
        session.flush()
        session.add(SeedListSeedRow(seed_list_id=saved(seed_list.id), seed_id=saved(seed.id)))
    session.flush()
    return seed_list


def _take_over(seed: SeedRow, entry: SeedEntry, vault: Vault) -> None:
    seed.provider = entry.provider
    seed.region = entry.region
    seed.reader = entry.reader
    seed.username = entry.username
    seed.host = entry.host
    seed.port = entry.port
    seed.security = entry.security or Security.TLS
    seed.tenant = entry.tenant
    seed.oauth = entry.oauth
    seed.drop = entry.drop
    if entry.password:
        seed.secret = vault.seal(f"seed:{entry.address}", entry.password)


def newest_list(session: Session, organisation_id: int, name: str) -> SeedListRow:
    """Return the latest version of list *name*.

    Raises:
        NotFoundError: the organisation has no such list.
    """
    found = session.exec(
        select(SeedListRow)
        .where(col(SeedListRow.organisation_id) == organisation_id, col(SeedListRow.name) == name)
        .order_by(col(SeedListRow.version).desc())
    ).first()
    if found is None:
        raise NotFoundError(
            f"there is no seed list {name!r}.", remedy="Import one: seedwatch seeds import FILE."
        )
    return found


def of_list(session: Session, seed_list_id: int) -> list[SeedRow]:
    """Return the seeds of one version of a list, by provider and address."""
    return list(
        session.exec(
            select(SeedRow)
            .join(SeedListSeedRow, col(SeedListSeedRow.seed_id) == col(SeedRow.id))
            .where(col(SeedListSeedRow.seed_list_id) == seed_list_id)
            .order_by(col(SeedRow.provider), col(SeedRow.address))
        ).all()
    )


def of_organisation(session: Session, organisation_id: int) -> list[SeedRow]:
    """Return all seeds of an organisation."""
    return list(
        session.exec(
            select(SeedRow)
            .where(col(SeedRow.organisation_id) == organisation_id)
            .order_by(col(SeedRow.provider), col(SeedRow.address))
        ).all()
    )


def account(seed: SeedRow, facts: ProviderFacts | None, vault: Vault) -> Account:
    """Return how to sign in to *seed*: its own server, or else its provider's.

    Raises:
        PersonNeededError: the secret key does not fit.
    """
    endpoint = facts.imap if facts else None
    if seed.host:
        endpoint = Endpoint(seed.host, seed.port or 993, seed.security)
    return Account(
        address=seed.address,
        provider=seed.provider,
        endpoint=endpoint,
        username=seed.username or seed.address,
        password=vault.open(f"seed:{seed.address}", seed.secret) if seed.secret else "",
        tenant=seed.tenant,
        reader=seed.reader,
        oauth=seed.oauth,
        drop=seed.drop,
    )


def grant(session: Session, address: str, oauth: str, vault: Vault) -> str:
    """Return the refresh token of a seed that signs in by OAuth; "" if there is none.

    Raises:
        PersonNeededError: the secret key does not fit.
    """
    for seed in _by_oauth(session, address, oauth):
        if seed.secret:
            return vault.open(f"seed:{seed.address}", seed.secret)
    return ""


def keep_grant(session: Session, address: str, oauth: str, token: str, vault: Vault) -> None:
    """Seal a new refresh token into the row of a seed."""
    for seed in _by_oauth(session, address, oauth):
        seed.secret = vault.seal(f"seed:{seed.address}", token)
        session.add(seed)
    session.flush()


def _by_oauth(session: Session, address: str, oauth: str) -> Sequence[SeedRow]:
    return session.exec(
        select(SeedRow).where(col(SeedRow.address) == address, col(SeedRow.oauth) == oauth)
    ).all()
