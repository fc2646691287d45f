"""Forget: let go of what is no longer needed, in small batches."""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from monitor.store import inbound, jobs
from monitor.store.tables import EvidenceRow

BATCH = 1000
DONE_JOBS_FOR = timedelta(days=7)


def forget(session: Session, *, now: datetime, keep_headers_for: timedelta) -> int:
    """Drop raw headers, reported mail and finished jobs that are too old; return how many headers.

    Placements, evidence in words and verdicts stay: they are the history that the judge
    and the pages rest on.
    """
    old = session.exec(
        select(EvidenceRow.copy_id)
        .where(
            col(EvidenceRow.recorded_at) < now - keep_headers_for, col(EvidenceRow.headers) != b""
        )
        .limit(BATCH)
    ).all()
    session.execute(
        update(EvidenceRow)
        .where(col(EvidenceRow.copy_id).in_(old))
        .values(headers=b"")
        .execution_options(synchronize_session=False)
    )
    gone = jobs.forget_done(session, before=now - DONE_JOBS_FOR, limit=BATCH)
    reported = inbound.forget_old(session, before=now - keep_headers_for, limit=BATCH)
    if max(len(old), gone, reported) == BATCH:
        jobs.put(session, "forget", {}, unique_key="forget:more", due_at=now)
    return len(old)
