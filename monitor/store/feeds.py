"""How asking each status feed has gone. None of these functions commits."""

from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.core.ports import Validators
from monitor.store.feed_tables import FeedRow

FIRST_PAUSE = timedelta(minutes=5)  # after one failure; doubled with each further one
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_WISH = timedelta(hours=6)  # that a server's Retry-After is granted
MAX_PROBLEM = 500  # characters


def known(session: Session, name: str) -> FeedRow:
    """Return what is known of the feed *name*; a new row if it was never asked."""
    name = name[:100]
    row = session.get(FeedRow, name)
    if row is None:
        row = FeedRow(name=name)
        session.add(row)
        session.flush()
    return row


def is_resting(row: FeedRow, now: datetime) -> bool:
    return row.not_before is not None and row.not_before > now


def answered(row: FeedRow, validators: Validators, *, now: datetime) -> None:
    """Note that the feed told what it knows, be it that nothing has changed."""
    row.etag, row.last_modified = validators.etag, validators.last_modified
    row.asked_at = row.answered_at = now
    row.failures, row.not_before, row.problem = 0, None, ""


def failed(row: FeedRow, problem: str, *, retry_after: timedelta | None, now: datetime) -> None:
    """Note a failure, and let the feed rest: the longer the oftener it failed in a row."""
    row.asked_at = now
    row.failures += 1
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(row.failures - 1, 10))
    wish = min(LONGEST_WISH, retry_after or timedelta(0))
    row.not_before = now + max(pause, wish)
    row.problem = problem[:MAX_PROBLEM]
