"""Due work: put it, claim it under a lease, and write down what became of it.

None of these functions commits: the caller does, together with whatever belongs to the
same change. A job is held by the number of its attempt (the fence): when a lease runs out
and somebody else claims the job, the former holder's number is old, and nothing it does
to the job takes effect.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    CursorResult,
    Executable,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from monitor.store import buckets
from monitor.store.claims import JOBS, c, first, is_free, is_running, pick
from monitor.store.fence import BEGIN, END, JOB, RELEASE, RENEW, RETRY
from monitor.store.work_tables import UNDONE, JobState

ERROR_LIMIT = 1000  # characters of an error that are kept
LOST = "The worker was lost each time that it ran this."


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at one piece of work."""

    id: int
    kind: str
    args: dict[str, Any]
    attempt: int
    max_attempts: int
    due_at: datetime
    unique_key: str
    lane: str

    @property
    def is_last_attempt(self) -> bool:
        return self.attempt >= self.max_attempts


@dataclass(frozen=True, slots=True)
class Counts:
    """How much work there is."""

    due: int  # not done, now or later
    late: int  # due by now, and nobody is at it
    leased: int  # somebody is at it
    dead: int


def put(  # noqa: PLR0913 - a row's columns; four of them have to be named
    session: Session,
    kind: str,
    args: dict[str, Any],
    *,
    unique_key: str,
    due_at: datetime,
    lane: str = "",
    max_attempts: int = 10,
) -> bool:
    """Ask for work; return whether it will run once more because of this.

    Work with the same key that still waits is not doubled: it becomes due at *due_at* if
    that is earlier, unless it waits because it failed. While work with the same key runs,
    a second run is noted, with these *args*, and becomes a job of its own when the first
    has ended; so a handler may put its own key to come back later. Dead work does not
    hold its key.
    """
    row: dict[str, Any] = {
        "kind": kind,
        "args": args,
        "unique_key": unique_key,
        "lane": lane,
        "wanted_at": due_at,
        "due_at": due_at,
        "max_attempts": max_attempts,
        "attempt": 0,
        "begun": 0,
        "state": JobState.DUE,
        "last_error": "",
        "asked": 0,
    }
    statement = _insert_or_note(session.get_bind().dialect.name)
    # SQLite 3.40 answers IS NOT NULL wrongly in RETURNING, so the columns are compared here.
    asked, lease_until, attempt, begun = session.execute(statement, row).one()
    return asked == 0 or (lease_until is not None and begun == attempt)


def claim(
    session: Session,
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    kinds: Collection[str] | None = None,
) -> list[Job]:
    """Take up to *limit* jobs that are due and that nobody holds, oldest first.

    Takes a token of its lane for each. A job whose holders were all lost, as often as
    it may be tried, is dead; it is not returned.
    """
    any_free = select(c.id).where(is_free(now, kinds)).limit(1)
    if limit < 1 or session.scalar(any_free) is None:
        return []  # most looks find nothing: do not ask for the write lock
    limits = buckets.lock(session)
    tokens = {b.lane: int(buckets.filled(b, now) + 1 - buckets.WHOLE) for b in limits}
    picked = pick(session, is_free(now, kinds), tokens, limit)
    if not picked:
        return []
    statement = (
        update(JOBS)
        .where(c.id.in_(picked))
        .values(lease_until=now + lease, attempt=c.attempt + 1)
        .returning(*JOB)
    )
    claimed = sorted((Job(*row) for row in session.execute(statement)), key=_age)
    buckets.take(session, limits, (job.lane for job in claimed), now)
    hopeless = [job for job in claimed if job.attempt > job.max_attempts]
    for job in hopeless:
        begin(session, job.id, job.attempt, now=now, lease=lease)
        bury(session, job, error=LOST, now=now)
    return [job for job in claimed if job not in hopeless]


def begin(
    session: Session, job_id: int, attempt: int, *, now: datetime, lease: timedelta
) -> Job | None:
    """Start an attempt that was claimed; None if it is stale or was started before."""
    fields = {"job_id": job_id, "number": attempt, "until": now + lease}
    row = session.execute(BEGIN, fields).one_or_none()
    return None if row is None else Job(*row)


def renew(
    session: Session, mine: Iterable[tuple[int, int]], *, now: datetime, lease: timedelta
) -> None:
    """Prolong the leases of *mine* (id, attempt); those that were lost stay lost."""
    fields = [{"job_id": i, "number": attempt, "until": now + lease} for i, attempt in mine]
    if fields:
        session.execute(RENEW, fields)


def finish(session: Session, job: Job, *, now: datetime) -> bool:
    """Write down that *job* is done.

    False if it is not ours any more: then the caller must roll back what it did.
    """
    return _end(session, job, state=JobState.DONE, error="", now=now)


def bury(session: Session, job: Job, *, error: str, now: datetime) -> bool:
    """Give *job* up: it stays, visibly dead, until a person revives it. False as in `finish`."""
    return _end(session, job, state=JobState.DEAD, error=error, now=now)


def retry(session: Session, job: Job, *, error: str, due_at: datetime) -> bool:
    """Let *job* be tried again at *due_at*. False as in `finish`."""
    fields = {"job_id": job.id, "number": job.attempt, "due": due_at, "error": error[:ERROR_LIMIT]}
    return session.execute(RETRY, fields).one_or_none() is not None


def release(session: Session, mine: Iterable[tuple[int, int]]) -> None:
    """Hand back jobs that were claimed but not begun, as if they had not been claimed."""
    fields = [{"job_id": job_id, "number": attempt} for job_id, attempt in mine]
    if fields:
        session.execute(RELEASE, fields)


def lost(session: Session, mine: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Which of *mine* (id, attempt) have ended or were claimed by others."""
    ids = [job_id for job_id, _ in mine]
    still = select(c.id, c.attempt).where(c.id.in_(ids), c.lease_until.is_not(None))
    return set(mine) - {(row[0], row[1]) for row in session.execute(still)}


def next_due(session: Session, *, kinds: Collection[str] | None = None) -> datetime | None:
    """When `claim` can next find something: perhaps in the past; None if nothing waits."""
    tokens = buckets.next_tokens(session)
    free = first(session, c.due_at, kinds, c.lease_until.is_(None), c.lane.not_in(tokens))
    leased = first(session, c.lease_until, kinds, c.lease_until.is_not(None))
    moments = [moment for moment in (free, leased) if moment is not None]
    for lane, token_at in tokens.items():
        due = first(session, c.due_at, kinds, c.lease_until.is_(None), c.lane == lane)
        if due is not None:
            moments.append(max(due, token_at))
    return min(moments, default=None)


def counts(session: Session, *, now: datetime) -> Counts:
    """Count what is not done."""
    leased = c.lease_until > now
    late = and_(c.due_at <= now, or_(c.lease_until.is_(None), c.lease_until <= now))
    undone = session.execute(
        select(func.count(), func.count(case((late, 1))), func.count(case((leased, 1)))).where(
            UNDONE
        )
    ).one()
    dead = session.scalar(select(func.count()).where(c.state == JobState.DEAD))
    return Counts(due=undone[0], late=undone[1], leased=undone[2], dead=dead or 0)


def forget_done(session: Session, *, before: datetime, limit: int) -> int:
    """Delete up to *limit* jobs that were done before *before*; return how many. Dead ones stay."""
    is_old = and_(c.state == JobState.DONE, c.done_at < before)
    old = select(c.id).where(is_old).limit(limit)
    result = session.execute(delete(JOBS).where(c.id.in_(old)))
    return cast("CursorResult[Any]", result).rowcount


@cache
def _insert_or_note(dialect: str) -> Executable:
    """Insert a job, or note on the undone job that has its key that it was asked for again.

    One statement, so that a job that ends at the same moment cannot swallow the request.
    """
    fresh = sqlite.insert(JOBS) if dialect == "sqlite" else postgresql.insert(JOBS)
    wanted = fresh.excluded
    earlier = case((wanted.due_at < c.due_at, wanted.due_at), else_=c.due_at)
    soonest = case((c.again_at < wanted.due_at, c.again_at), else_=wanted.due_at)
    noted = {
        c.asked: c.asked + 1,
        c.due_at: case((c.attempt == 0, earlier), else_=c.due_at),
        c.again_at: case((is_running(), soonest), else_=c.again_at),
        c.again_args: case((is_running(), wanted.args), else_=c.again_args),
    }
    return fresh.on_conflict_do_update(
        index_elements=[c.unique_key], index_where=UNDONE, set_=noted
    ).returning(c.asked, c.lease_until, c.attempt, c.begun)


def _end(session: Session, job: Job, *, state: JobState, error: str, now: datetime) -> bool:
    fields = {"job_id": job.id, "number": job.attempt, "end": state, "now": now}
    ended = session.execute(END, fields | {"error": error[:ERROR_LIMIT]}).one_or_none()
    if ended is not None and ended[0] is not None:
        put(
            session,
            job.kind,
            ended[1],
            unique_key=job.unique_key,
            due_at=ended[0],
            lane=job.lane,
            max_attempts=job.max_attempts,
        )
    return ended is not None


def _age(job: Job) -> tuple[datetime, int]:
    return job.due_at, job.id
