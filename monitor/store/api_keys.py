"""Keys of the API as rows: a digest of each, as a stolen database must open no door."""

import base64
import hashlib
import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from monitor.core.errors import NotFoundError
from monitor.core.scopes import Scope
from monitor.store.route_tables import ApiKeyRow

MARK = "sw_"  # by which people, and scanners of leaked secrets, know a key
KEY_BYTES = 32
SHOWN = 11  # characters of a key that tell it from others
MAX_KEY = 100  # characters
NOTED = timedelta(minutes=1)  # how exactly its last use is known


@dataclass(frozen=True, slots=True)
class Holder:
    """Who calls: an organisation, by a key that may do so much."""

    organisation_id: int
    name: str
    scopes: frozenset[str]


def create(  # noqa: PLR0913 - a key is made of just these
    session: Session,
    organisation_id: int,
    name: str,
    scopes: Collection[Scope],
    *,
    expires_at: datetime | None,
    now: datetime,
    rng: random.Random,
) -> tuple[ApiKeyRow, str]:
    """Make a key; return its row and the key itself, which is never known again.

    The caller commits.

    Args:
        rng: one that cannot be guessed.
    """
    key = MARK + base64.urlsafe_b64encode(rng.randbytes(KEY_BYTES)).decode().rstrip("=")
    row = ApiKeyRow(
        organisation_id=organisation_id,
        name=name,
        prefix=key[:SHOWN],
        digest=_digest(key),
        scopes=sorted(scopes),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row, key


def holder_of(session: Session, key: str, *, now: datetime) -> Holder | None:
    """Return who holds *key*; None if it is not known, expired or revoked.

    Its use is written down, at most once a minute; the caller commits.
    """
    if not key.startswith(MARK) or len(key) > MAX_KEY:
        return None
    row = session.exec(select(ApiKeyRow).where(col(ApiKeyRow.digest) == _digest(key))).first()
    if row is None or state(row, now=now) != "valid":
        return None
    if row.used_at is None or now - row.used_at >= NOTED:
        row.used_at = now
        session.add(row)
    return Holder(row.organisation_id, row.name, frozenset(row.scopes))


def state(row: ApiKeyRow, *, now: datetime) -> str:
    """Say whether a key opens anything: "valid", "expired" or "revoked"."""
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "valid"


def of_organisation(session: Session, organisation_id: int) -> list[ApiKeyRow]:
    """Return an organisation's keys, the oldest first."""
    mine = select(ApiKeyRow).where(col(ApiKeyRow.organisation_id) == organisation_id)
    return list(session.exec(mine.order_by(col(ApiKeyRow.id))).all())


def revoke(session: Session, organisation_id: int, prefix: str, *, now: datetime) -> ApiKeyRow:
    """Shut the key that begins so; again is harmless. The caller commits.

    Raises:
        NotFoundError: the organisation has no such key.
    """
    row = session.exec(
        select(ApiKeyRow)
        .where(
            col(ApiKeyRow.organisation_id) == organisation_id,
            col(ApiKeyRow.prefix) == prefix[:SHOWN],
        )
        .order_by(col(ApiKeyRow.id))
    ).first()
    if row is None:
        raise NotFoundError(
            f"there is no key {prefix[:SHOWN]!r}.", remedy="seedwatch keys list shows all."
        )
    row.revoked_at = row.revoked_at or now
    session.add(row)
    session.flush()
    return row


def _digest(key: str) -> str:
    """Keys are drawn at random from 2^256, so that a fast digest is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
