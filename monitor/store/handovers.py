"""Attempts to hand copies over. The row is there before the attempt is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, insert, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel, col, select

from monitor.core.campaigns import Handover, Outcome
from monitor.store.columns import saved
from monitor.store.tables import CopyRow, HandoverRow, SightingRow

# A test may have ten thousand copies, so these go without the ORM.
COPY, HANDOVER, SEED, TEST = (
    SQLModel.metadata.tables[name] for name in ("copy", "handover", "seed", "placement_test")
)

# An attempt with one of these outcomes is the last: the copy is out, or refused, or
# nobody can tell (a second copy would be worse than none).
FINAL = frozenset({Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNCERTAIN})


@dataclass(frozen=True, slots=True)
class OwedCopy:
    """A copy that has not been handed over yet."""

    copy_id: int
    seed_id: int
    recipient: str
    message_id: str
    attempts: int
    leaves_at: datetime  # not before this is it sent the first time
    tried_at: datetime | None = None  # when the latest attempt ended


def owed(session: Session, test_id: int, provider: str) -> list[OwedCopy]:
    """Return the copies of a test at a provider that still have to be handed over."""
    is_out = exists().where(HANDOVER.c.copy_id == COPY.c.id, HANDOVER.c.outcome.in_(FINAL))
    rows = session.execute(
        sql_select(
            COPY.c.id,
            COPY.c.seed_id,
            SEED.c.address,
            COPY.c.message_id,
            func.count(HANDOVER.c.id),
            func.coalesce(COPY.c.send_after, TEST.c.send_at),
            func.max(HANDOVER.c.finished_at, type_=HANDOVER.c.finished_at.type),
        )
        .join(SEED, SEED.c.id == COPY.c.seed_id)
        .join(TEST, TEST.c.id == COPY.c.test_id)
        .outerjoin(HANDOVER, HANDOVER.c.copy_id == COPY.c.id)
        .where(COPY.c.test_id == test_id, COPY.c.provider == provider, ~is_out.correlate(COPY))
        .group_by(COPY.c.id, SEED.c.id, TEST.c.id)
        .order_by(COPY.c.id)
    )
    return [OwedCopy(*row) for row in rows]


def resolve_doubts(session: Session, test_id: int, provider: str, *, now: datetime) -> None:
    """Write down attempts that were cut off as uncertain.

    Only the holder of the job calls this, so an attempt without an outcome is one whose
    worker died.
    """
    cut_off = session.exec(
        select(HandoverRow)
        .join(CopyRow, col(CopyRow.id) == col(HandoverRow.copy_id))
        .where(
            col(CopyRow.test_id) == test_id,
            col(CopyRow.provider) == provider,
            col(HandoverRow.outcome).is_(None),
        )
    ).all()
    for attempt in cut_off:
        attempt.outcome = Outcome.UNCERTAIN
        attempt.finished_at = now
        attempt.text = "the program stopped while this copy was being handed over"
        session.add(attempt)


def begin(session: Session, copies: Sequence[OwedCopy], *, now: datetime) -> list[int]:
    """Write down that an attempt begins for each of *copies*, and return the attempts' ids.

    The caller commits before they are made. Core statements, here and in `finish`: this is
    done for every copy, and a commit makes the ORM forget its objects.
    """
    written = session.execute(
        insert(HandoverRow).returning(col(HandoverRow.id), sort_by_parameter_order=True),
        [
            {"copy_id": copy.copy_id, "attempt": copy.attempts + 1, "started_at": now}
            for copy in copies
        ],
    )
    return [saved(row) for row in written.scalars()]


def finish(session: Session, attempt_id: int, handover: Handover, *, now: datetime) -> None:
    """Write down how the attempt ended; the caller commits."""
    reply = handover.reply
    said = [
        reply.text if reply else "",
        handover.problem,
    ]  # both: taken, and not quite as it should
    session.execute(
        update(HandoverRow)
        .where(col(HandoverRow.id) == attempt_id)
        .values(
            finished_at=now,
            outcome=handover.outcome,
            code=reply.code if reply else None,
            enhanced=reply.enhanced if reply else "",
            text="; ".join(part for part in said if part)[:1000],
            their_id=handover.their_id[:250],
        )
        .execution_options(synchronize_session=False)
    )


def unwatched(session: Session, test_id: int, provider: str) -> list[tuple[int, datetime]]:
    """Return the seeds that got a copy of the test which nobody has looked for yet, and when.

    The moment is the same each time: who asks for a look by it asks for one, however late
    the looks are.
    """
    rows = session.execute(
        sql_select(COPY.c.seed_id, func.coalesce(HANDOVER.c.finished_at, HANDOVER.c.started_at))
        .join(HANDOVER, HANDOVER.c.copy_id == COPY.c.id)
        .where(
            COPY.c.test_id == test_id,
            COPY.c.provider == provider,
            HANDOVER.c.outcome.in_([Outcome.ACCEPTED, Outcome.UNCERTAIN]),
            ~exists().where(col(SightingRow.copy_id) == COPY.c.id).correlate(COPY),
        )
        .order_by(COPY.c.id)
    )
    return [(seed_id, at) for seed_id, at in rows]
