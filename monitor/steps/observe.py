"""Observe: tell the judge how a test stands, at every provider."""

from datetime import datetime

from sqlmodel import Session

from monitor.core.observations import JUDGED
from monitor.store import jobs, observations, placement_tests
from monitor.store.tables import TestRow


def observe(session: Session, *, test_id: int, look: int, now: datetime) -> int:
    """Write the test's observations of this look, wake the judge, and put the next look.

    Args:
        look: number of this look, an index of JUDGED.

    Returns:
        how many observations were written.
    """
    rows = observations.observe(session, test_id, now=now)
    if rows:
        observations.wake_judge(session, now=now)
    if look + 1 < len(JUDGED):
        test = session.get_one(TestRow, test_id)
        jobs.put(
            session,
            "observe",
            {"test": test_id, "look": look + 1},
            unique_key=f"observe:{test_id}:{look + 1}",
            due_at=max(now, placement_tests.all_out_at(test) + JUDGED[look + 1]),
        )
    return len(rows)
