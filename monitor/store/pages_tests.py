"""Everything about one test, for its page. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from monitor.core.campaigns import Match, Outcome
from monitor.core.placements import Sighting, Story, story
from monitor.core.ports import LinkState
from monitor.store.expected import has_left
from monitor.store.sightings import histories
from monitor.store.tables import (
    CampaignRow,
    CopyRow,
    EvidenceRow,
    HandoverRow,
    LinkCheckRow,
    SeedListRow,
    SeedRow,
    SenderRow,
    TestRow,
)


@dataclass(frozen=True, slots=True)
class TestHead:
    """What a test's page says on top."""

    __test__ = False

    id: int
    uid: str
    campaign: str
    subject: str
    from_name: str
    from_address: str
    sender: str
    sender_key: str
    seed_list: str
    seed_list_version: int
    created_at: datetime
    sent_at: datetime
    awaited_until: datetime | None  # the sender's own service sends, and nothing has come yet
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to hand a copy over; without an outcome it is under way or was cut off."""

    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome | None
    code: int | None
    enhanced: str
    text: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What the headers of a received copy say. `facts` hold a stranger's words."""

    received_at: datetime | None
    match: Match
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CopyStory:
    """One copy with all that happened to it."""

    id: int
    address: str
    provider: str
    region: str
    message_id: str
    attempts: tuple[Attempt, ...]
    sightings: tuple[Sighting, ...]
    story: Story
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class CheckedLink:
    """One link of a received copy, followed once."""

    provider: str
    url: str
    state: LinkState
    rewritten: bool
    detail: str
    checked_at: datetime


def head(session: Session, uid: str) -> TestHead | None:
    """Return the test with this public id; None if there is none."""
    found = session.exec(
        select(TestRow, CampaignRow, SenderRow, SeedListRow)
        .join(CampaignRow, col(CampaignRow.id) == col(TestRow.campaign_id))
        .join(SenderRow, col(SenderRow.id) == col(CampaignRow.sender_id))
        .join(SeedListRow, col(SeedListRow.id) == col(TestRow.seed_list_id))
        .where(col(TestRow.uid) == uid)
    ).first()
    if found is None:
        return None
    test, campaign, sender, seed_list = found
    features = test.features.get("all", [])
    return TestHead(
        id=test.id or 0,
        uid=test.uid,
        campaign=campaign.name,
        subject=campaign.subject,
        from_name=campaign.from_name,
        from_address=campaign.from_address,
        sender=sender.name,
        sender_key=sender.key,
        seed_list=seed_list.name,
        seed_list_version=seed_list.version,
        created_at=test.created_at,
        sent_at=test.send_at,
        awaited_until=None if has_left(session, test) else test.expected_until,
        features=tuple(str(f) for f in features) if isinstance(features, list) else (),
    )


def copies(
    session: Session, test_id: int, *, provider: str | None, offset: int, limit: int
) -> list[CopyStory]:
    """Return copies of a test, by provider and address, with all that happened to them."""
    wanted = (
        select(CopyRow, SeedRow)
        .join(SeedRow, col(SeedRow.id) == col(CopyRow.seed_id))
        .where(col(CopyRow.test_id) == test_id)
        .order_by(col(CopyRow.provider), col(SeedRow.address))
        .offset(offset)
        .limit(limit)
    )
    if provider is not None:
        wanted = wanted.where(col(CopyRow.provider) == provider)
    rows = session.exec(wanted).all()
    ids = [copy.id or 0 for copy, _ in rows]
    looks = histories(session, ids)
    attempts = _attempts(session, ids)
    proofs = _proofs(session, ids)
    return [
        CopyStory(
            id=copy.id or 0,
            address=seed.address,
            provider=copy.provider,
            region=seed.region,
            message_id=copy.message_id,
            attempts=tuple(attempts.get(copy.id or 0, ())),
            sightings=tuple(looks.get(copy.id or 0, ())),
            story=story(looks.get(copy.id or 0, ())),
            proof=proofs.get(copy.id or 0),
        )
        for copy, seed in rows
    ]


def links(session: Session, test_id: int, *, limit: int) -> list[CheckedLink]:
    """Return the link checks of a test, the latest ones if there are more than *limit*."""
    rows = session.exec(
        select(LinkCheckRow)
        .where(col(LinkCheckRow.test_id) == test_id)
        .order_by(col(LinkCheckRow.checked_at).desc(), col(LinkCheckRow.id).desc())
        .limit(limit)
    ).all()
    found = [
        CheckedLink(r.provider, r.url, r.state, r.rewritten, r.detail, r.checked_at) for r in rows
    ]
    return sorted(found, key=lambda link: (link.provider, link.checked_at, link.url))


def _attempts(session: Session, copy_ids: Sequence[int]) -> dict[int, list[Attempt]]:
    rows = session.exec(
        select(HandoverRow)
        .where(col(HandoverRow.copy_id).in_(copy_ids))
        .order_by(col(HandoverRow.attempt))
    )
    found: dict[int, list[Attempt]] = {}
    for r in rows:
        attempt = Attempt(r.started_at, r.finished_at, r.outcome, r.code, r.enhanced, r.text)
        found.setdefault(r.copy_id, []).append(attempt)
    return found


def _proofs(session: Session, copy_ids: Sequence[int]) -> dict[int, Proof]:
    rows = session.exec(select(EvidenceRow).where(col(EvidenceRow.copy_id).in_(copy_ids)))
    return {r.copy_id: Proof(r.received_at, r.match, r.facts) for r in rows}
