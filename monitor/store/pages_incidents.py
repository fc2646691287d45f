"""What pages show around incidents: the open and recent ones, alerts, advisories, names."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import case, func, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from monitor.core.incidents import Incident, State, fold
from monitor.core.routes import About, Arrival
from monitor.store.agreement import speaker
from monitor.store.incidents import decode
from monitor.store.route_tables import RouteRow
from monitor.store.tables import SenderRow
from monitor.store.verdict_tables import AdvisoryRow, AlertRow, IncidentEventRow

# A provider may publish long after the start, and names a start that it revises later.
_BEFORE = timedelta(days=2)
_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class SentAlert:
    """An alert as its outbox row tells it."""

    incident: str
    state: State
    kind: str
    to: str
    subject: str
    created_at: datetime
    attempts: int
    error: str
    sent_at: datetime | None
    dead_at: datetime | None
    arrival: Arrival = Arrival.UNASKED


@dataclass(frozen=True, slots=True)
class Notice:
    """An advisory: its latest version, and when its first one came out."""

    id: str
    provider: str
    title: str
    text: str
    url: str
    first_published_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    is_resolved: bool


@dataclass(frozen=True, slots=True)
class SenderName:
    """What to call a sender on a page."""

    name: str
    domain: str


def relevant(session: Session, *, since: datetime, limit: int = 200) -> list[Incident]:
    """Return the incidents that are open or changed after *since*, opened last first.

    A closed incident has no later event, so "open" is "has no closing event".
    """
    closing = case((col(IncidentEventRow.state) == State.CLOSED, 1), else_=0)
    newest = func.max(col(IncidentEventRow.at))
    ids = (
        select(col(IncidentEventRow.incident))
        .group_by(col(IncidentEventRow.incident))
        .having(or_(newest >= since, func.max(closing) == 0))
        .order_by(newest.desc())
        .limit(limit)
    )
    rows = session.exec(
        select_rows(IncidentEventRow)
        .where(col(IncidentEventRow.incident).in_(ids))
        .order_by(col(IncidentEventRow.incident), col(IncidentEventRow.seq))
    ).all()
    stories = groupby(rows, lambda row: row.incident)
    found = [fold(decode(row) for row in story) for _, story in stories]
    return sorted(found, key=lambda i: (i.opened_at, i.id), reverse=True)


def alerts(session: Session, *, limit: int, incident: str | None = None) -> list[SentAlert]:
    """Return the newest alerts, of one *incident* or of all."""
    wanted = (
        select_rows(AlertRow, RouteRow)
        .join(RouteRow, col(RouteRow.id) == col(AlertRow.route_id))
        .where(col(AlertRow.about) == About.INCIDENT)
        .order_by(col(AlertRow.created_at).desc(), col(AlertRow.id).desc())
        .limit(limit)
    )
    if incident is not None:
        wanted = wanted.where(col(AlertRow.incident) == incident)
    return [
        SentAlert(
            incident=alert.incident,
            state=alert.state or State.CONFIRMED,
            kind=route.kind,
            to=speaker(route),
            subject=alert.subject,
            created_at=alert.created_at,
            attempts=alert.attempts,
            error=alert.error,
            sent_at=alert.sent_at,
            dead_at=alert.dead_at,
            arrival=alert.arrival,
        )
        for alert, route in session.exec(wanted).all()
    ]


def notices(session: Session, incident: Incident) -> list[Notice]:
    """Return the advisories that may speak of *incident*: same provider, about the same time."""
    provider = incident.latest.provider
    if provider is None:
        return []
    rows = session.exec(
        select_rows(AdvisoryRow)
        .where(
            col(AdvisoryRow.provider) == provider,
            col(AdvisoryRow.updated_at) >= incident.latest.start_low - _BEFORE,
        )
        .order_by(col(AdvisoryRow.advisory), col(AdvisoryRow.updated_at))
    ).all()
    versions = groupby(rows, lambda row: row.advisory)
    found = [_notice(list(story)) for _, story in versions]
    return sorted((n for n in found if _speaks_of(n, incident)), key=lambda n: n.first_published_at)


def sender_names(session: Session, keys: Collection[str]) -> dict[str, SenderName]:
    """Return names for the judge's sender *keys*; keys that no row has are left out."""
    rows = session.exec(select_rows(SenderRow).where(col(SenderRow.key).in_(keys)))
    return {row.key: SenderName(row.name, row.from_domain) for row in rows}


def _notice(versions: list[AdvisoryRow]) -> Notice:
    last = versions[-1]
    return Notice(
        id=last.advisory,
        provider=last.provider,
        title=last.title,
        text=last.text,
        url=last.url,
        first_published_at=min(v.published_at for v in versions),
        updated_at=last.updated_at,
        started_at=_earliest(v.started_at for v in versions),
        ended_at=last.ended_at,
        is_resolved=last.is_resolved,
    )


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((m for m in moments if m is not None), default=None)


def _speaks_of(notice: Notice, incident: Incident) -> bool:
    begin = notice.started_at or notice.first_published_at
    over = notice.ended_at if notice.is_resolved else None
    is_too_late = incident.closed_at is not None and begin > incident.closed_at
    is_too_early = over is not None and over < incident.latest.start_low
    was_late = (
        incident.closed_at is not None and notice.first_published_at > incident.closed_at + _AFTER
    )
    return not (is_too_late or is_too_early or was_late)
