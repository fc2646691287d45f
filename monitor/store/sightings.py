"""Copies under watch, and the looks at them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel, col, select

from monitor.core.campaigns import Found, Outcome
from monitor.core.departures import YOURS
from monitor.core.errors import BadInputError
from monitor.core.placements import LADDER, Placement, Sighting, next_look
from monitor.evidence import fields, stamp
from monitor.store.marks import Marks, marks_of
from monitor.store.rows import insert_once
from monitor.store.tables import CopyRow, EvidenceRow, HandoverRow, SightingRow

# One look reads hundreds of rows, so its queries go without the ORM.
COPY, HANDOVER, SIGHTING, TEST = (
    SQLModel.metadata.tables[name] for name in ("copy", "handover", "sighting", "placement_test")
)
_CHUNK = 500  # ids in one IN (...), below every database's limit


@dataclass(frozen=True, slots=True)
class WatchedCopy:
    """A copy that is looked for: handed over, its ladder not climbed yet, or still awaited."""

    copy_id: int
    test_id: int
    message_id: str
    token: str
    sent_at: datetime
    is_certain: bool  # False: nobody knows whether the server took it
    last_look: datetime | None
    their_id: str = ""  # the Message-ID that a mail service gave it in place of ours
    marks: Marks | None = None  # of what the sender's own service sends
    awaited_until: datetime | None = None  # nobody knows yet whether it was sent

    @property
    def is_awaited(self) -> bool:
        return self.awaited_until is not None

    def is_due(self, now: datetime) -> bool:
        """Has a rung of the ladder come since the last look?"""
        due = next_look(self.sent_at, self.last_look)
        return due is not None and due <= now


def watched(session: Session, seed_id: int, *, now: datetime) -> list[WatchedCopy]:
    """Return the copies in one seed mailbox that are still looked at, oldest first."""
    last_look = (
        sql_select(func.max(SIGHTING.c.looked_at))
        .where(SIGHTING.c.copy_id == COPY.c.id)
        .correlate(COPY)
        .scalar_subquery()
    )
    rows = session.execute(
        sql_select(
            COPY.c.id,
            COPY.c.test_id,
            COPY.c.message_id,
            TEST.c.token,
            TEST.c.transport,
            HANDOVER.c.their_id,
            HANDOVER.c.outcome,
            func.coalesce(HANDOVER.c.finished_at, HANDOVER.c.started_at),
            last_look,
        )
        .join(TEST, TEST.c.id == COPY.c.test_id)
        .join(HANDOVER, HANDOVER.c.copy_id == COPY.c.id)
        .where(
            COPY.c.seed_id == seed_id,
            HANDOVER.c.outcome.in_([Outcome.ACCEPTED, Outcome.UNCERTAIN]),
            HANDOVER.c.started_at > now - LADDER[-1] * 1.1,
        )
        .order_by(COPY.c.id)
    ).all()
    marks = marks_of(session, {row.test_id for row in rows if row.transport == YOURS})
    return [
        WatchedCopy(
            copy_id=copy_id,
            test_id=test_id,
            message_id=message_id,
            token=token,
            sent_at=sent_at,
            is_certain=outcome is Outcome.ACCEPTED,
            last_look=looked_at,
            their_id=their_id,
            marks=marks.get(test_id),
        )
        for copy_id, test_id, message_id, token, _, their_id, outcome, sent_at, looked_at in rows
    ]


def histories(session: Session, copy_ids: Sequence[int]) -> dict[int, list[Sighting]]:
    """Return the sightings of each copy, oldest first; a copy without any is left out."""
    found: dict[int, list[Sighting]] = {}
    for start in range(0, len(copy_ids), _CHUNK):
        rows = session.execute(
            sql_select(
                SIGHTING.c.copy_id,
                SIGHTING.c.looked_at,
                SIGHTING.c.placement,
                SIGHTING.c.folder,
                SIGHTING.c.tab,
                SIGHTING.c.reason,
                SIGHTING.c.contaminated,
            )
            .where(SIGHTING.c.copy_id.in_(copy_ids[start : start + _CHUNK]))
            .order_by(SIGHTING.c.copy_id, SIGHTING.c.looked_at)
        )
        for copy_id, *look in rows:
            found.setdefault(copy_id, []).append(Sighting(*look))
    return found


def undecided(session: Session, test_id: int) -> list[tuple[int, str]]:
    """Return the copies of a test of which no look has ever told anything, and why."""
    is_told = (
        exists()
        .where(col(SightingRow.copy_id) == col(CopyRow.id))
        .where(col(SightingRow.placement) != Placement.PENDING)
        .correlate(CopyRow)
    )
    rows = session.execute(
        sql_select(col(CopyRow.id), func.max(col(HandoverRow.outcome)))
        .outerjoin(HandoverRow, col(HandoverRow.copy_id) == col(CopyRow.id))
        .where(col(CopyRow.test_id) == test_id, ~is_told)
        .group_by(col(CopyRow.id))
        .order_by(col(CopyRow.id))
    )
    return [
        (copy_id, "nobody looked in time" if outcome else "this copy was never handed over")
        for copy_id, outcome in rows
    ]


def add(session: Session, looks: Iterable[tuple[int, Sighting]]) -> int:
    """Write *looks*, as (copy id, sighting); return how many.

    Of two looks at a copy at the same moment, the one that was written first stays.
    """
    rows = [
        {
            "copy_id": copy_id,
            "looked_at": look.looked_at,
            "placement": look.placement,
            "folder": look.folder[:300],
            "tab": look.tab[:64],
            "reason": look.reason[:500],
            "contaminated": look.contaminated,
        }
        for copy_id, look in looks
    ]
    insert_once(session, SightingRow, rows)
    return len(rows)


def with_evidence(session: Session, copy_ids: Sequence[int]) -> set[int]:
    """Return those of *copy_ids* whose headers are kept already."""
    found: set[int] = set()
    for start in range(0, len(copy_ids), _CHUNK):
        found.update(
            session.exec(
                select(EvidenceRow.copy_id).where(
                    col(EvidenceRow.copy_id).in_(copy_ids[start : start + _CHUNK])
                )
            ).all()
        )
    return found


def tests_with_evidence(session: Session, provider: str, test_ids: Collection[int]) -> set[int]:
    """Return those of *test_ids* of which some copy at *provider* was found already."""
    return set(
        session.exec(
            select(CopyRow.test_id)
            .join(EvidenceRow, col(EvidenceRow.copy_id) == col(CopyRow.id))
            .where(col(CopyRow.provider) == provider, col(CopyRow.test_id).in_(test_ids))
            .distinct()
        ).all()
    )


def keep_evidence(
    session: Session, copy_id: int, found: Found, facts: Mapping[str, object], *, now: datetime
) -> None:
    """Keep the headers of a copy, as it was first found."""
    row = {
        "copy_id": copy_id,
        "recorded_at": now,
        "received_at": found.received_at,
        "match": found.match,
        "duplicates": found.duplicates,
        "headers": found.headers,
        "facts": dict(facts),
    }
    insert_once(session, EvidenceRow, [row])


def name_in_mailbox(session: Session, copy: CopyRow) -> str:
    """Return the Message-ID under which *copy* lies in its mailbox.

    That is ours, unless a mail service has put its own in place of it; then the headers that
    were kept tell.
    """
    kept = session.get(EvidenceRow, copy.id)
    ids = fields.values(fields.parse(kept.headers), "Message-ID") if kept else []
    if not ids or any(copy.message_id in one for one in ids):
        return copy.message_id
    try:
        return stamp.check_message_id(ids[0].strip())
    except BadInputError:  # a stranger wrote it
        return copy.message_id


def note_duplicates(session: Session, copy_id: int, count: int) -> None:
    """Keep how many further messages were the same copy, if they are more than before."""
    session.execute(
        update(EvidenceRow)
        .where(col(EvidenceRow.copy_id) == copy_id, col(EvidenceRow.duplicates) < count)
        .values(duplicates=count)
        .execution_options(synchronize_session=False)
    )
