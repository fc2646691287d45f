"""Remind: tell of an incident that goes on again, until somebody acknowledges it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.core.incidents import IncidentEvent
from monitor.core.news import reminder
from monitor.core.routes import About
from monitor.store import alerts, concerned, incidents, known
from monitor.store.alerts import Line, Owing
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow


def remind(session: Session, *, alert_domain: str, clock: Clock) -> list[AlertRow]:
    """Owe the reminders whose time has come, and put their delivery; the caller commits."""
    now = clock.now()
    owed: list[Owing] = []
    for row in incidents.confirmed(session):
        story = alerts.story(session, row.incident, now=now)
        owed += _of_incident(session, row, story, now) if story else []
    return alerts.owe_all(session, owed, domain=alert_domain, now=now)


def _of_incident(
    session: Session, row: IncidentEventRow, story: Mapping[int, Sequence[Line]], now: datetime
) -> list[Owing]:
    event = incidents.decode(row)
    told = concerned.routes_by_id(session, story)
    organisations = {route.organisation_id for route in told}
    known_to = known.acknowledgements(session, row.incident, organisations, now=now)
    due = [
        route
        for route in told
        if route.organisation_id not in known_to and _is_time(route, story[saved(route.id)], now)
    ]
    bodies = known.bodies(session, event, due, now=now)
    return [
        _owing(row, event, route, story[saved(route.id)], bodies[saved(route.id)], now)
        for route in due
    ]


def _is_time(route: RouteRow, lines: Sequence[Line], now: datetime) -> bool:
    """Has the route been told of its own trouble, and nothing for long enough?"""
    if route.remind_hours <= 0 or any(not one.is_reached and not one.is_lost for one in lines):
        return False
    heard = [one.at for one in lines if one.is_reached and not one.is_before and one.at]
    return bool(heard) and now - max(heard) >= timedelta(hours=route.remind_hours)


def _owing(
    row: IncidentEventRow,
    event: IncidentEvent,
    route: RouteRow,
    lines: Sequence[Line],
    body: dict[str, object],
    now: datetime,
) -> Owing:
    new = reminder(event, [one.told() for one in lines])
    return Owing(
        route_id=saved(route.id),
        about=About.INCIDENT,
        thread=event.incident,
        topic=new.topic,
        severity=new.severity,
        body={**body, "news": str(new.kind)},
        due_at=concerned.due_at(route, new.severity, now=now),
        event=row,
    )
