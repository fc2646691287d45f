"""Which seed mailboxes we cannot read, so that their silence is not taken for a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import case, func, select
from sqlmodel import Session, col
from sqlmodel import select as sqlmodel_select

from monitor.core.placements import Placement
from monitor.store.seed_health import of_seeds
from monitor.store.tables import CopyRow, SeedHealthRow, SeedRow, SightingRow


@dataclass(frozen=True, slots=True)
class SeedHealth:
    """One mailbox: when we last looked, and since when looking has failed."""

    address: str
    provider: str
    looked_at: datetime | None  # None: not in the span
    known_at: datetime | None  # the latest look that told something
    failures: int  # looks since then that told nothing
    reason: str = ""  # of the latest one
    failing_since: datetime | None = None
    recovered_at: datetime | None = None  # when the last row of failures ended
    remedy: str = ""  # what a person can do about it
    latency_s: float | None = None  # of the last look that went well

    @property
    def is_failing(self) -> bool:
        return self.failures > 0


def seed_health(session: Session, *, since: datetime) -> list[SeedHealth]:
    """Return the health of every seed.

    It is what was written down with each look after *since* (store/seed_health.py); of seeds
    that were last looked at before that was done, it is what these looks tell. A seed that is
    no longer looked at, such as one that was taken from its list, fails no more.
    """
    known = case((col(SightingRow.placement) != Placement.UNKNOWN, col(SightingRow.looked_at)))
    looks = (
        select(
            col(CopyRow.seed_id).label("seed_id"),
            func.max(col(SightingRow.looked_at)).label("looked_at"),
            func.max(known).label("known_at"),
        )
        .join(CopyRow, col(CopyRow.id) == col(SightingRow.copy_id))
        .where(col(SightingRow.looked_at) > since)
        .group_by(col(CopyRow.seed_id))
        .subquery()
    )
    rows = session.connection().execute(
        select(
            col(SeedRow.id),
            col(SeedRow.address),
            col(SeedRow.provider),
            looks.c.looked_at,
            looks.c.known_at,
        )
        .outerjoin(looks, looks.c.seed_id == col(SeedRow.id))
        .order_by(col(SeedRow.provider), col(SeedRow.address))
    )
    noted = {row.seed_id: row for row in of_seeds(session) if row.tried_at > since}
    return [
        _noted(health, noted[seed]) if seed in noted else _health(session, seed, health, since)
        for seed, health in [
            (seed, SeedHealth(address, provider, looked, good, 0))
            for seed, address, provider, looked, good in rows.all()
        ]
    ]


def of_test(session: Session, test_id: int) -> list[SeedHealth]:
    """Return the seeds of a test, each as it stands now, not as it stood then."""
    seeds = (
        sqlmodel_select(SeedRow)
        .join(CopyRow, col(CopyRow.seed_id) == col(SeedRow.id))
        .where(col(CopyRow.test_id) == test_id)
        .order_by(col(SeedRow.provider), col(SeedRow.address))
    )
    return health_of(session, session.exec(seeds).all())


def health_of(session: Session, seeds: Sequence[SeedRow]) -> list[SeedHealth]:
    """Return what was written down of *seeds*, in their order."""
    noted = {row.seed_id: row for row in of_seeds(session)}
    bare = [(seed.id, SeedHealth(seed.address, seed.provider, None, None, 0)) for seed in seeds]
    return [_noted(one, noted[seed]) if seed in noted else one for seed, one in bare]


def _noted(looks: SeedHealth, row: SeedHealthRow) -> SeedHealth:
    return replace(
        looks,
        looked_at=row.tried_at,
        known_at=row.read_at,
        failures=row.failures,
        reason=row.problem,
        failing_since=row.failing_since,
        recovered_at=row.recovered_at,
        remedy=row.remedy,
        latency_s=row.latency_s,
    )


def _health(session: Session, seed: int, health: SeedHealth, since: datetime) -> SeedHealth:
    if health.looked_at is None or health.looked_at == health.known_at:
        return health
    failed = (
        select(col(SightingRow.looked_at), func.max(col(SightingRow.reason)))
        .join(CopyRow, col(CopyRow.id) == col(SightingRow.copy_id))
        .where(
            col(CopyRow.seed_id) == seed,
            col(SightingRow.looked_at) > (health.known_at or since),
            col(SightingRow.placement) == Placement.UNKNOWN,
        )
        .group_by(col(SightingRow.looked_at))
        .order_by(col(SightingRow.looked_at).desc())
    )
    looks = session.connection().execute(failed).all()
    return SeedHealth(
        address=health.address,
        provider=health.provider,
        looked_at=health.looked_at,
        known_at=health.known_at,
        failures=len(looks),
        reason=looks[0][1] if looks else "",
    )
