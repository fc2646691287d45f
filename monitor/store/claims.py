"""Which jobs may be claimed now, and which are held: conditions on the rows of `job`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import Session, SQLModel

from monitor.store.work_tables import UNDONE, JobRow

# The table itself: work is moved by statements, never through objects of a session.
JOBS = SQLModel.metadata.tables[JobRow.__tablename__]
c = JOBS.c


def is_free(now: datetime, kinds: Collection[str] | None) -> ColumnElement[bool]:
    free = and_(UNDONE, c.due_at <= now, or_(c.lease_until.is_(None), c.lease_until <= now))
    return free if kinds is None else and_(free, c.kind.in_(kinds))


def is_running() -> ColumnElement[bool]:
    return and_(c.lease_until.is_not(None), c.begun == c.attempt)


def pick(
    session: Session, free: ColumnElement[bool], tokens: dict[str, int], limit: int
) -> list[int]:
    """Choose the oldest free jobs, of each limited lane no more than it has *tokens*."""
    picked: list[int] = []
    while len(picked) < limit:
        shut = [lane for lane, left in tokens.items() if left < 1]
        statement = (
            select(c.id, c.lane)
            .where(free, c.id.not_in(picked), c.lane.not_in(shut))
            .order_by(c.due_at, c.id)
            .limit(limit - len(picked))
            .with_for_update(skip_locked=True)
        )
        over = False
        for job_id, lane in session.execute(statement):
            if tokens.get(lane, 1) < 1:
                over = True  # others may stand behind the ones that we may not take
                continue
            picked.append(job_id)
            if lane in tokens:
                tokens[lane] -= 1
        if not over:
            break
    return picked


def first(
    session: Session,
    moment: ColumnElement[Any],
    kinds: Collection[str] | None,
    *which: ColumnElement[bool],
) -> datetime | None:
    statement = select(moment).where(UNDONE, *which).order_by(moment).limit(1)
    if kinds is not None:
        statement = statement.where(c.kind.in_(kinds))
    return session.scalar(statement)
