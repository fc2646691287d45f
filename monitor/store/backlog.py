"""The backlog as a person sees and mends it: what was given up."""

from datetime import datetime

from sqlmodel import Session, col, select

from monitor.store.columns import saved
from monitor.store.jobs import put
from monitor.store.work_tables import JobRow, JobState


def dead(session: Session, *, limit: int, since: datetime | None = None) -> list[JobRow]:
    """Return the jobs that were given up (after *since*), the latest first."""
    given_up = select(JobRow).where(JobRow.state == JobState.DEAD)
    if since is not None:
        given_up = given_up.where(col(JobRow.done_at) > since)
    latest_first = given_up.order_by(col(JobRow.done_at).desc(), col(JobRow.id).desc())
    return list(session.exec(latest_first.limit(limit)))


def dead_ids(session: Session) -> list[int]:
    """Return the ids of all jobs that were given up, the earliest first."""
    ids = select(JobRow.id).where(JobRow.state == JobState.DEAD).order_by(col(JobRow.id))
    return [saved(job_id) for job_id in session.exec(ids).all()]


def revive(session: Session, job_id: int, *, now: datetime) -> bool:
    """Let a dead job run again, with all its attempts anew.

    False if there is no such dead job, or the same work was asked for again meanwhile.
    """
    job = session.get(JobRow, job_id)
    if job is None or job.state is not JobState.DEAD:
        return False
    session.delete(job)
    session.flush()
    return put(
        session,
        job.kind,
        job.args,
        unique_key=job.unique_key,
        due_at=now,
        lane=job.lane,
        max_attempts=job.max_attempts,
    )
