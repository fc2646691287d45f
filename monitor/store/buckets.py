"""Token buckets: how fast each lane may go.

The buckets lie in the database, so that all workers together keep to a rate, and tokens
are taken in the transaction that claims the work.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from monitor.core.errors import BadInputError
from monitor.store.work_tables import BucketRow

WHOLE = 1 - 1e-9  # refilling in many small steps must not lose a token to rounding


def set_rate(
    session: Session, lane: str, *, rate_per_s: float, burst: float, now: datetime
) -> None:
    """Let *lane* start *rate_per_s* jobs a second, and *burst* at once after a pause.

    Raises:
        BadInputError: a rate that is not above 0, or a burst below 1.
    """
    if not (rate_per_s > 0 and burst >= 1):
        raise BadInputError(
            f"rate of {lane}",
            f"{rate_per_s}/s, burst {burst}",
            "lets nothing through",
            remedy="The rate must be above 0 and the burst at least 1.",
        )
    bucket = session.get(BucketRow, lane)
    if bucket is None:
        bucket = BucketRow(
            lane=lane, tokens=burst, rate_per_s=rate_per_s, burst=burst, refilled_at=now
        )
    else:
        bucket.tokens = min(filled(bucket, now), burst)
        bucket.rate_per_s, bucket.burst = rate_per_s, burst
        bucket.refilled_at = max(now, bucket.refilled_at)
    session.add(bucket)
    session.flush()


def clear_rate(session: Session, lane: str) -> None:
    """Let *lane* start jobs as fast as it goes."""
    bucket = session.get(BucketRow, lane)
    if bucket is not None:
        session.delete(bucket)


def lock(session: Session) -> list[BucketRow]:
    """Return all buckets, locked until the end of the transaction.

    An UPDATE that changes nothing locks the rows on PostgreSQL and the database on
    SQLite, where it takes the lock even if there is no bucket at all.
    """
    statement = update(BucketRow).values(tokens=BucketRow.tokens).returning(BucketRow)
    return list(session.scalars(statement, execution_options={"populate_existing": True}))


def filled(bucket: BucketRow, now: datetime) -> float:
    """How many tokens *bucket* holds at *now*."""
    passed_s = max(0.0, (now - bucket.refilled_at).total_seconds())
    return min(bucket.burst, bucket.tokens + passed_s * bucket.rate_per_s)


def take(session: Session, buckets: list[BucketRow], lanes: Iterable[str], now: datetime) -> None:
    """Take one token for each of *lanes* (a lane may occur often) from locked *buckets*."""
    used = Counter(lanes)
    for bucket in buckets:
        if used[bucket.lane]:
            bucket.tokens = filled(bucket, now) - used[bucket.lane]
            bucket.refilled_at = max(now, bucket.refilled_at)
            session.add(bucket)
    session.flush()


def grant(session: Session, lane: str, wanted: int, *, now: datetime) -> int:
    """Take up to *wanted* tokens of *lane* and return how many there were; the caller commits.

    A lane without a bucket grants all. The bucket is locked until the end of the transaction.
    """
    statement = (
        update(BucketRow)
        .where(col(BucketRow.lane) == lane)
        .values(tokens=BucketRow.tokens)
        .returning(BucketRow)
    )
    found = session.scalars(statement, execution_options={"populate_existing": True})
    bucket = found.one_or_none()
    if bucket is None:
        return wanted
    granted = min(wanted, int(filled(bucket, now) + 1 - WHOLE))
    take(session, [bucket], [lane] * granted, now)
    return granted


def next_token(session: Session, lane: str) -> datetime | None:
    """From when on *lane* holds a whole token; None if it has no limit."""
    bucket = session.get(BucketRow, lane, populate_existing=True)
    return None if bucket is None else _next_token(bucket)


def next_tokens(session: Session) -> dict[str, datetime]:
    """For every limited lane, from when on it holds a whole token."""
    return {b.lane: _next_token(b) for b in session.exec(select(BucketRow))}


def _next_token(bucket: BucketRow) -> datetime:
    missing = max(0.0, WHOLE - bucket.tokens)
    # Up to the next microsecond: a moment too early would find no token yet.
    wait = timedelta(microseconds=int(missing / bucket.rate_per_s * 1e6) + (missing > 0))
    return bucket.refilled_at + wait
