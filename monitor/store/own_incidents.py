"""What of the incidents an organisation may see: what could concern its mail, and no stranger.

Incidents rest on the mail of all organisations. One that names a stranger, or a feature that
only strangers' mail carries, is not shown.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from monitor.core.blamed import features_of
from monitor.core.incidents import Cause, Incident, IncidentEvent
from monitor.store.tables import SeedRow, SenderRow, TestRow

RECENT = timedelta(days=30)
_REGION = "region:"  # a feature of the provider's mailboxes, not of anybody's mail


@dataclass(frozen=True, slots=True)
class Own:
    """What an organisation has that an incident can be about."""

    senders: frozenset[str]  # keys
    features: frozenset[str]  # that its mail of the last thirty days carries
    esps: frozenset[str]
    seeds: frozenset[str]  # addresses

    def sees(self, event: IncidentEvent) -> bool:
        """May the organisation see an incident that stands so?"""
        if event.cause is Cause.SEED:
            return event.seed in self.seeds
        if event.cause is Cause.MONITOR:
            return False  # trouble of the installation, for its operator
        if event.cause.blames_sender and event.sender:
            return event.sender in self.senders
        if self.senders & set(event.hit):
            return True
        if event.cause in {Cause.PROVIDER, Cause.PROVIDER_FEATURE, Cause.CONTENT}:
            blamed = {one for one in features_of(event.feature) if not one.startswith(_REGION)}
            return blamed <= self.features if blamed else event.cause.blames_provider
        return event.cause is Cause.ESP and event.esp in self.esps

    def only_ours(self, event: IncidentEvent) -> IncidentEvent:
        """Return *event* without the names of strangers' senders."""
        return replace(
            event,
            hit=tuple(s for s in event.hit if s in self.senders),
            spared=tuple(s for s in event.spared if s in self.senders),
            sender=event.sender if event.sender in self.senders else None,
        )


def own(session: Session, organisation_id: int, *, now: datetime) -> Own:
    """Return what *organisation_id* has, as of *now*."""
    senders = session.exec(
        select(SenderRow.key, SenderRow.esp).where(
            col(SenderRow.organisation_id) == organisation_id
        )
    ).all()
    newest = (
        select(func.max(TestRow.id))
        .where(
            col(TestRow.organisation_id) == organisation_id, col(TestRow.send_at) >= now - RECENT
        )
        .group_by(col(TestRow.campaign_id))
    )
    tests = session.exec(select(TestRow.features).where(col(TestRow.id).in_(newest))).all()
    seeds = select(SeedRow.address).where(col(SeedRow.organisation_id) == organisation_id)
    return Own(
        senders=frozenset(key for key, _ in senders),
        features=frozenset(one for features in tests for one in features.get("all", ())),
        esps=frozenset(esp for _, esp in senders if esp),
        seeds=frozenset(session.exec(seeds).all()),
    )


def seen(incidents: Iterable[Incident], mine: Own) -> list[Incident]:
    """Return those of *incidents* that an organisation may see, without strangers' names."""
    return [
        replace(one, latest=mine.only_ours(one.latest))
        for one in incidents
        if mine.sees(one.latest)
    ]


def own_tests(session: Session, organisation_id: int, uids: Collection[str]) -> list[str]:
    """Return those of the tests *uids* that are the organisation's, the newest last."""
    rows = select(TestRow.uid).where(
        col(TestRow.organisation_id) == organisation_id, col(TestRow.uid).in_(list(uids))
    )
    return list(session.exec(rows.order_by(col(TestRow.id))).all())
