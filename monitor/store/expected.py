"""Campaigns that the sender's own service sends: awaited in the seeds, then watched.

A test that waits has copies without a handover: nobody knows yet whether anything was
sent. When the first copy turns up anywhere, all of them count as handed over at its
arrival, and from then on they are looked at as any other copies. A copy for a seed that
has never received anything from this sender's service is handed over in doubt: that seed
may not be on the service's list, so that its copy is never `missing`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists
from sqlmodel import Session, col, select

from monitor.core.campaigns import Outcome
from monitor.core.departures import YOURS
from monitor.core.placements import LADDER, Placement
from monitor.store import looks, placement_tests
from monitor.store.marks import marks_of
from monitor.store.rows import insert_once
from monitor.store.sightings import WatchedCopy
from monitor.store.tables import CampaignRow, CopyRow, HandoverRow, SeedRow, SightingRow, TestRow

NOT_ARRIVED = "the campaign did not arrive at any seed"
NOT_ON_LIST = (
    "this seed has never received anything from this sender's service: is it on its list? "
    "seedwatch seeds diff"
)
SENT_BY_YOU = "sent by the sender's own service"
SENT_IF_LISTED = f"{SENT_BY_YOU}, if this seed is on its list"

# Most campaigns go out soon after they are announced; later, a look every five minutes
# would tell little more than one every fifteen.
OFTEN, OFTEN_FOR = timedelta(minutes=5), timedelta(hours=3)
SELDOM = timedelta(minutes=15)
GRACE = timedelta(minutes=15)  # after the time is over, for looks that were late
LONGEST = timedelta(days=14)  # that a test may wait

_SEEN = tuple(p for p in Placement if p.is_in_mailbox or p is Placement.QUARANTINE)
_DAY = timedelta(days=1)


def put_polls(session: Session, seeds: Sequence[SeedRow], *, now: datetime) -> None:
    """Put the first look into each of *seeds*; each look puts the next."""
    for seed in seeds:
        looks.put(session, seed.id or 0, seed.provider, due_at=_next_mark(seed.id or 0, OFTEN, now))


def awaited(session: Session, seed_id: int, *, now: datetime) -> list[WatchedCopy]:
    """Return the copies for one seed of which nobody knows yet whether they were sent."""
    waiting = session.exec(
        select(TestRow.id).where(
            col(TestRow.transport) == YOURS,
            col(TestRow.expected_until) > now - GRACE,
            col(TestRow.send_at) > now - LONGEST - _DAY,  # it has an index
        )
    ).all()
    if not waiting:
        return []
    rows = session.exec(
        select(CopyRow, TestRow)
        .join(TestRow, col(TestRow.id) == col(CopyRow.test_id))
        .where(
            col(CopyRow.test_id).in_(waiting),
            col(CopyRow.seed_id) == seed_id,
            ~exists().where(col(HandoverRow.copy_id) == col(CopyRow.id)),
        )
        .order_by(col(CopyRow.id))
    ).all()
    marks = marks_of(session, {copy.test_id for copy, _ in rows})
    return [
        WatchedCopy(
            copy_id=copy.id or 0,
            test_id=copy.test_id,
            message_id=copy.message_id,
            token=test.token,
            sent_at=test.created_at,
            is_certain=False,
            last_look=None,
            marks=marks.get(copy.test_id),
            awaited_until=test.expected_until,
        )
        for copy, test in rows
    ]


def next_poll(copy: WatchedCopy, seed_id: int, now: datetime) -> datetime | None:
    """When to look next for a copy that is awaited; None when its time is over.

    The moments are the same for all tests that wait at a seed, so that one look serves all,
    and differ between seeds, so that not all are visited at once.
    """
    until = copy.awaited_until
    if until is None or now >= until:
        return None
    step = OFTEN if now < copy.sent_at + OFTEN_FOR else SELDOM
    return min(_next_mark(seed_id, step, now), until)


def arrive(session: Session, test_id: int, *, received_at: datetime | None, now: datetime) -> None:
    """Take note that a copy of the test was found, received at *received_at* at the earliest.

    The first time, all its copies count as handed over then, and their ladder begins. A copy
    that was received earlier still moves the test's time there. May be done twice.
    """
    # Locked, as copies at several seeds may be found at the same moment.
    test = session.get_one(TestRow, test_id, with_for_update=True, populate_existing=True)
    at = min(max(received_at or now, test.created_at), now)
    if has_arrived(session, test_id):
        test.send_at = min(test.send_at, at)
        session.add(test)
        return
    test.send_at = at
    session.add(test)
    session.flush()
    known = _receivers(session, test)
    copies = session.exec(
        select(CopyRow).where(col(CopyRow.test_id) == test_id).order_by(col(CopyRow.id))
    ).all()
    insert_once(
        session, HandoverRow, [_handover(c, at, is_sure=c.seed_id in known) for c in copies]
    )
    for copy in copies:
        looks.put(session, copy.seed_id, copy.provider, due_at=now + LADDER[0])
    placement_tests.put_verdicts(session, test)


def has_left(session: Session, test: TestRow) -> bool:
    """Is it known that *test* goes out: from here, or because a copy has arrived?"""
    return test.transport != YOURS or has_arrived(session, test.id or 0)


def not_arrived(session: Session, uids: Collection[str]) -> set[str]:
    """Return those of the tests *uids* of which nobody knows that they were sent at all."""
    arrived = (
        exists()
        .where(col(CopyRow.test_id) == col(TestRow.id))
        .where(col(HandoverRow.copy_id) == col(CopyRow.id))
    )
    mine = (col(TestRow.uid).in_(uids), col(TestRow.transport) == YOURS)
    return set(session.exec(select(TestRow.uid).where(*mine, ~arrived)).all())


def has_arrived(session: Session, test_id: int) -> bool:
    """Has any copy of the test been found?"""
    found = session.exec(
        select(CopyRow.id)
        .join(HandoverRow, col(HandoverRow.copy_id) == col(CopyRow.id))
        .where(col(CopyRow.test_id) == test_id)
        .limit(1)
    ).first()
    return found is not None


def _receivers(session: Session, test: TestRow) -> set[int]:
    """The seeds that have received this sender's campaigns from its own service before."""
    sender = session.get_one(CampaignRow, test.campaign_id).sender_id
    return set(
        session.exec(
            select(CopyRow.seed_id)
            .join(TestRow, col(TestRow.id) == col(CopyRow.test_id))
            .join(CampaignRow, col(CampaignRow.id) == col(TestRow.campaign_id))
            .join(SightingRow, col(SightingRow.copy_id) == col(CopyRow.id))
            .where(
                col(TestRow.transport) == YOURS,
                col(TestRow.id) != test.id,
                col(CampaignRow.sender_id) == sender,
                col(SightingRow.placement).in_(_SEEN),
            )
            .distinct()
        ).all()
    )


def _handover(copy: CopyRow, at: datetime, *, is_sure: bool) -> dict[str, object]:
    return {
        "copy_id": copy.id,
        "attempt": 1,
        "started_at": at,
        "finished_at": at,
        "outcome": Outcome.ACCEPTED if is_sure else Outcome.UNCERTAIN,
        "text": SENT_BY_YOU if is_sure else SENT_IF_LISTED,
    }


def _next_mark(seed_id: int, step: timedelta, now: datetime) -> datetime:
    """The next of the moments that lie *step* apart and are this seed's own."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    shift = timedelta(minutes=seed_id % (OFTEN // timedelta(minutes=1)))
    return day + shift + ((now - day - shift) // step + 1) * step
