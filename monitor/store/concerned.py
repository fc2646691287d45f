"""Whom an incident concerns: routes of the senders hit, and of those who would be hit next."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, or_, select

from monitor.core.blamed import features_of
from monitor.core.domain_proof import covering
from monitor.core.incidents import Cause, Direction, IncidentEvent
from monitor.core.news import REGION
from monitor.core.quiet import held_until
from monitor.core.routes import Audience, Severity
from monitor.store.columns import saved
from monitor.store.route_tables import DomainRow, RouteRow
from monitor.store.tables import (
    CampaignRow,
    CopyRow,
    SeedListRow,
    SeedListSeedRow,
    SeedRow,
    SenderRow,
    TestRow,
)
from monitor.store.work_tables import ScheduleRow

RECENT: Final = timedelta(days=30)


def routes(session: Session, senders: Iterable[str], *, must_prove: bool) -> list[RouteRow]:
    """Return the routes of *senders* (keys), and those of their whole organisations, by id.

    Only routes that agreed and that may be told of mail.

    Args:
        must_prove: leave out senders whose From domain its organisation has not proven.
    """
    of_senders = _senders(session, senders, must_prove=must_prove)
    found = select(RouteRow).where(
        or_(
            col(RouteRow.sender_id).in_([sender for sender, _ in of_senders]),
            col(RouteRow.sender_id).is_(None)
            & col(RouteRow.organisation_id).in_({org for _, org in of_senders}),
        ),
        *_OPEN,
    )
    return list(session.exec(found.order_by(col(RouteRow.id))).all())


def _senders(
    session: Session, senders: Iterable[str], *, must_prove: bool
) -> list[tuple[int, int]]:
    """The ids of senders (keys) and of their organisations."""
    rows = session.exec(
        select(SenderRow.id, SenderRow.organisation_id, SenderRow.from_domain).where(
            col(SenderRow.key).in_(list(senders))
        )
    ).all()
    proven: set[tuple[int, str]] = set()
    if must_prove:
        domains = select(DomainRow.organisation_id, DomainRow.domain).where(
            col(DomainRow.organisation_id).in_({organisation for _, organisation, _ in rows}),
            col(DomainRow.proven_at).is_not(None),
        )
        proven = set(session.exec(domains).all())
    return [
        (saved(sender), organisation)
        for sender, organisation, domain in rows
        if not must_prove or any((organisation, name) in proven for name in covering(domain))
    ]


def routes_by_id(session: Session, ids: Collection[int]) -> list[RouteRow]:
    """Return those of the routes that may be told of mail, by id."""
    found = select(RouteRow).where(col(RouteRow.id).in_(list(ids)), *_OPEN)
    return list(session.exec(found.order_by(col(RouteRow.id))).all())


def next_to_be_hit(session: Session, event: IncidentEvent, *, now: datetime) -> set[str]:
    """Return the senders (keys) who are not hit, but would be, did they mail there now.

    They have not mailed there since the incident began. Their mail carries what is blamed; or,
    if all mail is hit, they have tests there, recent or to come.
    """
    is_wide = event.cause.blames_provider or event.cause is Cause.ESP
    if not is_wide or event.direction is Direction.BETTER or event.is_foreboding:
        return set()
    blamed = {one for one in features_of(event.feature) if not one.startswith(REGION)}
    if event.cause is Cause.ESP and not blamed and event.esp:
        blamed = {f"esp:{event.esp}"}
    if blamed:
        might = _carrying(session, blamed, since=now - RECENT)
    elif event.provider:
        might = _mailing(session, event.provider, since=now - RECENT)
        might |= _scheduled(session, event.provider)
    else:
        return set()
    seen = {*event.hit, *event.spared, *([event.sender] if event.sender else [])}
    mailed = _mailing(session, event.provider, since=event.start_low, until=now)
    return might - seen - mailed


def due_at(route: RouteRow, severity: Severity, *, now: datetime) -> datetime:
    """When *route* may be told: what is not critical waits for the end of its quiet hours."""
    if severity is Severity.CRITICAL:
        return now
    quiet = {"start": route.quiet_from, "end": route.quiet_to}
    return held_until(now, timezone=route.timezone, **quiet) or now


_OPEN = (
    col(RouteRow.confirmed_at).is_not(None),
    col(RouteRow.suspended_at).is_(None),
    col(RouteRow.audience) != Audience.OPERATOR,
)


def _carrying(session: Session, blamed: set[str], *, since: datetime) -> set[str]:
    """Senders whose mail carries all that is *blamed*, by the newest test of each campaign."""
    newest = (
        select(func.max(TestRow.id))
        .where(col(TestRow.send_at) >= since)
        .group_by(col(TestRow.campaign_id))
    )
    rows = session.exec(
        select(SenderRow.key, TestRow.features)
        .join(CampaignRow, col(CampaignRow.sender_id) == col(SenderRow.id))
        .join(TestRow, col(TestRow.campaign_id) == col(CampaignRow.id))
        .where(col(TestRow.id).in_(newest))
    ).all()
    return {key for key, features in rows if blamed <= set(features.get("all", ()))}


def _mailing(
    session: Session, provider: str | None, *, since: datetime, until: datetime | None = None
) -> set[str]:
    """Senders with tests at *provider* (None: anywhere) that leave from *since* to *until*."""
    tests = (
        select(SenderRow.key)
        .join(CampaignRow, col(CampaignRow.sender_id) == col(SenderRow.id))
        .join(TestRow, col(TestRow.campaign_id) == col(CampaignRow.id))
        .where(col(TestRow.send_at) >= since)
        .distinct()
    )
    if until is not None:
        tests = tests.where(col(TestRow.send_at) <= until)
    if provider is not None:
        there = select(CopyRow.test_id).where(col(CopyRow.provider) == provider)
        tests = tests.where(col(TestRow.id).in_(there))
    return set(session.exec(tests).all())


def _scheduled(session: Session, provider: str) -> set[str]:
    """Senders with a campaign on a schedule whose seed list has seeds at *provider*."""
    plans = session.exec(
        select(ScheduleRow).where(col(ScheduleRow.kind) == "start", col(ScheduleRow.enabled))
    ).all()
    lists = session.exec(
        select(SeedListRow.organisation_id, SeedListRow.name)
        .join(SeedListSeedRow, col(SeedListSeedRow.seed_list_id) == col(SeedListRow.id))
        .join(SeedRow, col(SeedRow.id) == col(SeedListSeedRow.seed_id))
        .where(col(SeedRow.provider) == provider)
        .distinct()
    ).all()
    there = set(lists)
    campaigns = {
        plan.args.get("campaign")
        for plan in plans
        if (plan.organisation_id, plan.args.get("seed_list")) in there
    }
    rows = session.exec(
        select(SenderRow.key)
        .join(CampaignRow, col(CampaignRow.sender_id) == col(SenderRow.id))
        .where(col(CampaignRow.id).in_([c for c in campaigns if isinstance(c, int)]))
    )
    return set(rows.all())
