"""How a test went out, and by what its copies were known. Read-only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from monitor.core.departures import YOURS
from monitor.store import expected
from monitor.store.columns import saved
from monitor.store.tables import CopyRow, EvidenceRow, TestRow


@dataclass(frozen=True, slots=True)
class WayOut:
    """How the copies of one test left, or are expected, and how sure it is that they are its.

    `arrived_at` is None for a campaign that is still awaited; `matches` counts the copies
    that were found by the mark that they were known by.
    """

    transport: str
    spread_s: float
    expected_until: datetime | None
    arrived_at: datetime | None
    matches: dict[str, int]
    duplicates: int  # further messages in the seeds that are the same campaign


def way_out(session: Session, test: TestRow) -> WayOut:
    """Return how *test* went out."""
    rows = session.exec(
        select(EvidenceRow.match, func.count(), func.sum(col(EvidenceRow.duplicates)))
        .join(CopyRow, col(CopyRow.id) == col(EvidenceRow.copy_id))
        .where(col(CopyRow.test_id) == test.id)
        .group_by(col(EvidenceRow.match))
        .order_by(col(EvidenceRow.match))
    ).all()
    is_yours = test.transport == YOURS
    has_arrived = is_yours and expected.has_arrived(session, saved(test.id))
    return WayOut(
        transport=test.transport,
        spread_s=test.spread_s,
        expected_until=test.expected_until,
        arrived_at=test.send_at if has_arrived else None,
        matches={str(match): count for match, count, _ in rows},
        duplicates=sum(int(more or 0) for _, _, more in rows),
    )
