"""Observe: tell the judge how a test stands, at every provider."""

from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.core.observations import JUDGED
from monitor.store import incidents, jobs, observations, placement_tests
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
        _wake_judge(session, now)
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


def pass_time(session: Session, *, now: datetime) -> bool:
    """Tell the judge that it is later, if some incident is open; return whether it is told.

    Without mail nobody else would: an incident that has ended must close all the same.
    """
    if not incidents.is_any_open(session):
        return False
    observations.pass_time(session, now=now)
    _wake_judge(session, now)
    return True


def _wake_judge(session: Session, now: datetime) -> None:
    """Put the judge's turn one second from now: tests that are told together are judged
    together, and people are told the verdict on all of them, not on the first few.

    A turn that is running has an earlier second in its key, so this is never lost on it.
    """
    due = now.replace(microsecond=0) + timedelta(seconds=1)
    jobs.put(session, "judge", {}, unique_key=f"judge:{due:%Y%m%d%H%M%S}", due_at=due)
