"""By what the copies of a campaign are known that the sender's own service sends."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from monitor.core.departures import YOURS
from monitor.core.placements import LADDER
from monitor.evidence import bodies
from monitor.evidence.recognise import weak_mark
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, TestRow

# Tests of one sender that are further apart are never looked for at the same time.
APART = LADDER[-1] * 1.1 + timedelta(days=14)
MAX_KIN = 1000


@dataclass(frozen=True, slots=True)
class Marks:
    """What a copy may bear, and when it may have come.

    Of tests whose campaigns cannot be told apart by what they bear, time tells: what came
    after the next of them was announced is that one's.
    """

    since: datetime
    until: datetime  # exclusive
    campaign_mark: str
    body_mark: str
    from_address: str
    subject: str


@dataclass(frozen=True, slots=True)
class _Kin:
    """A test and what it is known by."""

    test_id: int
    sender_id: int
    marks: Marks

    @property
    def age(self) -> tuple[datetime, int]:
        return self.marks.since, self.test_id

    @property
    def weak(self) -> str:
        return weak_mark(self.marks.from_address, self.marks.subject)


def marks_of(session: Session, test_ids: Collection[int]) -> dict[int, Marks]:
    """Return the marks of those of *test_ids* whose campaigns the sender's own service sends."""
    if not test_ids:
        return {}
    mine = _kin(session, col(TestRow.id).in_(test_ids))
    if not mine:
        return {}
    first = min(one.marks.since for one in mine)
    others = _kin(
        session,
        col(CampaignRow.sender_id).in_({one.sender_id for one in mine}),
        col(TestRow.created_at) > first - APART,
    )
    return {
        one.test_id: _told_apart(
            one, [o for o in others if o.sender_id == one.sender_id and o.test_id != one.test_id]
        )
        for one in mine
    }


def _kin(session: Session, *which: object) -> list[_Kin]:
    rows = session.exec(
        select(TestRow, CampaignRow)
        .join(CampaignRow, col(CampaignRow.id) == col(TestRow.campaign_id))
        .where(col(TestRow.transport) == YOURS, *which)  # type: ignore[arg-type]
        .order_by(col(TestRow.created_at).desc())
        .limit(MAX_KIN)
    ).all()
    return [
        _Kin(saved(test.id), campaign.sender_id, _marks(test, campaign)) for test, campaign in rows
    ]


def _marks(test: TestRow, campaign: CampaignRow) -> Marks:
    """The marks of one test by itself: what comes until it is looked at no more is its own."""
    last_look = test.send_at + LADDER[-1] * 1.1
    return Marks(
        since=test.created_at,
        until=max(test.expected_until or last_look, last_look),
        campaign_mark=test.campaign_mark,
        body_mark=test.body_mark,
        from_address=campaign.from_address,
        subject=campaign.subject,
    )


def _told_apart(one: _Kin, others: Sequence[_Kin]) -> Marks:
    """Take from the marks of *one* what would fit another test's message as well."""
    marks = one.marks
    for other in others:
        marks = _apart_from(marks, one, other)
    return marks


def _apart_from(marks: Marks, one: _Kin, other: _Kin) -> Marks:
    is_worded_alike = bodies.alike(one.marks.body_mark, other.marks.body_mark)
    ours, theirs = one.marks.campaign_mark, other.marks.campaign_mark
    if ours and theirs and ours != theirs:
        # The service tells the two apart, and surely; wording or subject would blur that.
        if one.weak == other.weak:
            marks = replace(marks, from_address="", subject="")
        return replace(marks, body_mark="") if is_worded_alike else marks
    if one.weak == other.weak or (ours and ours == theirs):
        if other.age > one.age:
            return replace(marks, until=min(marks.until, other.marks.since))
        return marks
    # Two subjects on trial with the same text: the subject tells them apart.
    return replace(marks, body_mark="") if is_worded_alike else marks
