"""Attempts to hand copies over. The row is there before the attempt is made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, insert, update
from sqlmodel import Session, col, select

from monitor.core.campaigns import Handover, Outcome
from monitor.store.columns import saved
from monitor.store.tables import CopyRow, HandoverRow, SeedRow, SightingRow, TestRow

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
    copies = session.exec(
        select(CopyRow, SeedRow, TestRow.send_at)
        .join(SeedRow, col(SeedRow.id) == col(CopyRow.seed_id))
        .join(TestRow, col(TestRow.id) == col(CopyRow.test_id))
        .where(col(CopyRow.test_id) == test_id, col(CopyRow.provider) == provider)
        .order_by(col(CopyRow.id))
    ).all()
    attempts = _attempts(session, [saved(copy.id) for copy, _, _ in copies])
    found = []
    for copy, seed, send_at in copies:
        tried = attempts.get(saved(copy.id), [])
        if not any(attempt.outcome in FINAL for attempt in tried):
            found.append(
                OwedCopy(
                    saved(copy.id),
                    copy.seed_id,
                    seed.address,
                    copy.message_id,
                    attempts=len(tried),
                    leaves_at=copy.send_after or send_at,
                    tried_at=tried[-1].finished_at if tried else None,
                )
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


def begin(session: Session, copies: Sequence[OwedCopy], *, now: datetime) -> list[int]:
    """Write down that an attempt begins for each of *copies*, and return the attempts' ids.

    The caller commits before they are made. Core statements, here and in `finish`: this is
    done for every copy, and a commit makes the ORM forget its objects.
    """
    return [
        saved(
            session.execute(
                insert(HandoverRow)
                .values(copy_id=copy.copy_id, attempt=copy.attempts + 1, started_at=now)
                .returning(col(HandoverRow.id))
            ).scalar_one()
        )
        for copy in copies
    ]


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
