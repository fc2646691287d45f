"""Messages that systems behind seeds have reported by web hook."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func
from sqlalchemy import select as sql_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from monitor.store.tables import InboundRow, SeedRow

READER = "inbound"
KEPT_BYTES = 256 * 1024
SHOWN_BYTES = 64 * 1024  # enough to know a copy by
SHOWN = 500  # messages of one seed
INBOUND = SQLModel.metadata.tables["inbound"]


@dataclass(frozen=True, slots=True)
class Beginning:
    """The beginning of a reported message."""

    id: int
    folder: str
    received_at: datetime
    raw: bytes


def reporting_seeds(session: Session, addresses: Sequence[str]) -> list[str]:
    """Return which of *addresses* are seeds that report by web hook, as the seed lists write them.

    A tag after a plus sign is no part of who a seed is.
    """
    wanted = {address.lower() for address in addresses}
    wanted |= {_without_tag(address) for address in wanted}
    rows = session.exec(
        select(SeedRow.address)
        .where(func.lower(col(SeedRow.address)).in_(wanted), col(SeedRow.reader) == READER)
        .distinct()
        .order_by(col(SeedRow.address))
    )
    return list(rows.all())


def _without_tag(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return local.partition("+")[0] + at + domain


def keep(session: Session, address: str, folder: str, raw: bytes, *, now: datetime) -> bool:
    """Keep a reported message; return False if it was known already.

    A message that is reported again is one message. If it is said to lie elsewhere now, it
    has been moved: the latest word counts. When it came is what the first report says.
    """
    digest = hashlib.sha256(raw).hexdigest()
    known = session.execute(
        sql_select(INBOUND.c.id).where(INBOUND.c.address == address, INBOUND.c.digest == digest)
    ).first()
    fresh = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = fresh.insert(INBOUND).values(
        address=address, digest=digest, received_at=now, folder=folder[:300], raw=raw[:KEPT_BYTES]
    )
    session.execute(
        new.on_conflict_do_update(
            index_elements=[INBOUND.c.address, INBOUND.c.digest],
            set_={"folder": new.excluded.folder},
        )
    )
    return known is None


def beginnings(
    session: Session, address: str, *, since: datetime | None, limit: int = SHOWN
) -> list[Beginning]:
    """Return the messages that were reported of *address* after *since*, the newest first."""
    asked = (
        sql_select(
            INBOUND.c.id,
            INBOUND.c.folder,
            INBOUND.c.received_at,
            func.substr(INBOUND.c.raw, 1, SHOWN_BYTES),
        )
        .where(INBOUND.c.address == address)
        .order_by(INBOUND.c.received_at.desc(), INBOUND.c.id.desc())
        .limit(limit)
    )
    if since is not None:
        asked = asked.where(INBOUND.c.received_at >= since)
    return [
        Beginning(key, folder, received_at, bytes(raw))
        for key, folder, received_at, raw in session.execute(asked)
    ]


def last_heard(session: Session, address: str) -> datetime | None:
    """Return when the latest message of *address* was reported."""
    asked = select(func.max(col(InboundRow.received_at))).where(col(InboundRow.address) == address)
    return session.exec(asked).one()


def raw_of(session: Session, key: int) -> bytes | None:
    """Return the kept part of a message."""
    row = session.get(InboundRow, key)
    return None if row is None else row.raw


def forget_old(session: Session, *, before: datetime, limit: int) -> int:
    """Delete reported messages that are too old; return how many went."""
    old = session.execute(
        sql_select(INBOUND.c.id).where(INBOUND.c.received_at < before).limit(limit)
    ).scalars()
    ids = list(old)
    if ids:
        session.execute(delete(INBOUND).where(INBOUND.c.id.in_(ids)))
    return len(ids)
