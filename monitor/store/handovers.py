"""Attempts to hand copies over. The row is there before the attempt is made."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, insert, update
from sqlmodel import Session, col, select

from monitor.core.campaigns import Handover, Outcome
from monitor.store.columns import saved
from monitor.store.tables import CopyRow, HandoverRow, SeedRow, SightingRow

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


def owed(session: Session, test_id: int, provider: str) -> list[OwedCopy]:
    """Return the copies of a test at a provider that still have to be handed over."""
    copies = session.exec(
        select(CopyRow, SeedRow)
        .join(SeedRow, col(SeedRow.id) == col(CopyRow.seed_id))
        .where(col(CopyRow.test_id) == test_id, col(CopyRow.provider) == provider)
        .order_by(col(CopyRow.id))
    ).all()
    attempts = _attempts(session, [saved(copy.id) for copy, _ in copies])
    found = []
    for copy, seed in copies:
        tried = attempts.get(saved(copy.id), [])
        if not any(attempt.outcome in FINAL for attempt in tried):
            found.append(
                OwedCopy(saved(copy.id), copy.seed_id, seed.address, copy.message_id, len(tried))
            )
    return found


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


def begin(session: Session, copy: OwedCopy, *, now: datetime) -> int:
    """Write down that an attempt begins, and return its id; the caller commits before it is made.

    Core statements, here and in `finish`: this is done for every copy, and a commit makes the
    ORM forget its objects.
    """
    written = session.execute(
        insert(HandoverRow)
        .values(copy_id=copy.copy_id, attempt=copy.attempts + 1, started_at=now)
        .returning(col(HandoverRow.id))
    )
    return saved(written.scalar_one())


def finish(session: Session, attempt_id: int, handover: Handover, *, now: datetime) -> None:
    """Write down how the attempt ended; the caller commits."""
    reply = handover.reply
    session.execute(
        update(HandoverRow)
        .where(col(HandoverRow.id) == attempt_id)
        .values(
            finished_at=now,
            outcome=handover.outcome,
            code=reply.code if reply else None,
            enhanced=reply.enhanced if reply else "",
            text=(reply.text if reply else handover.problem)[:1000],
        )
        .execution_options(synchronize_session=False)
    )


def unwatched(session: Session, test_id: int, provider: str) -> list[int]:
    """Return the seeds that got a copy of the test which nobody has looked for yet."""
    return list(
        session.exec(
            select(CopyRow.seed_id)
            .join(HandoverRow, col(HandoverRow.copy_id) == col(CopyRow.id))
            .where(
                col(CopyRow.test_id) == test_id,
                col(CopyRow.provider) == provider,
                col(HandoverRow.outcome).in_([Outcome.ACCEPTED, Outcome.UNCERTAIN]),
                ~exists().where(col(SightingRow.copy_id) == col(CopyRow.id)),
            )
            .order_by(col(CopyRow.id))
        ).all()
    )


def _attempts(session: Session, copy_ids: Iterable[int]) -> dict[int, list[HandoverRow]]:
    found: dict[int, list[HandoverRow]] = {}
    rows = session.exec(
        select(HandoverRow)
        .where(col(HandoverRow.copy_id).in_(list(copy_ids)))
        .order_by(col(HandoverRow.attempt))
    )
    for row in rows:
        found.setdefault(row.copy_id, []).append(row)
    return found
