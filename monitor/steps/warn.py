"""Warn: decide who must be told of a change in an incident, and owe them an alert."""

from collections.abc import Sequence

from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.core.incidents import TOLD, Cause, IncidentEvent, State
from monitor.store import alerts, incidents, jobs
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow

# Trouble of the operator, not of senders: shown on the dashboard.
INTERNAL = frozenset({Cause.SEED, Cause.MONITOR, Cause.INSUFFICIENT})


def warn(session: Session, *, event_id: int, alert_domain: str, clock: Clock) -> list[AlertRow]:
    """Owe every route concerned one alert, and put its delivery; the caller commits."""
    row = session.get_one(IncidentEventRow, event_id)
    event = incidents.decode(row)
    if event.state not in TOLD:
        return []
    owed = []
    for route in _concerned(session, event):
        alert = alerts.owe(
            session,
            row,
            route,
            message_id=f"<alert.{row.id}.{route.id}@{alert_domain}>",
            now=clock.now(),
        )
        if alert is not None:
            owed.append(alert)
            jobs.put(
                session,
                "tell",
                {"alert": alert.id},
                unique_key=f"tell:{alert.id}",
                due_at=clock.now(),
                max_attempts=20,
            )
    return owed


def _concerned(session: Session, event: IncidentEvent) -> Sequence[RouteRow]:
    """Whom to tell. An end is told to all whom the beginning reached, and to nobody else.

    Since then, the incident may have been named anew, with others as its victims.
    """
    if event.state is State.CLOSED:
        return alerts.told_routes(session, event.incident)
    if event.cause in INTERNAL:
        return []
    senders = set(event.hit) | ({event.sender} if event.sender else set())
    if event.cause.blames_sender and event.sender:
        senders = {event.sender}
    return alerts.routes(session, sorted(senders))
