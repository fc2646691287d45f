"""Warn: decide who must be told of a change in an incident, and owe them an alert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError
from monitor.core.incidents import TOLD, Cause, IncidentEvent, State
from monitor.core.news import news, severity
from monitor.core.routes import About
from monitor.store import alerts, concerned, incidents, known
from monitor.store.alerts import Line, Owing
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow

# Trouble of the operator, not of senders: shown on the dashboard.
INTERNAL: Final = frozenset({Cause.SEED, Cause.MONITOR, Cause.INSUFFICIENT})


@dataclass(frozen=True, slots=True)
class _Concern:
    """A route that an event concerns, and what it was told of the incident so far."""

    route: RouteRow
    lines: Sequence[Line]
    is_before: bool = False  # its senders are not hit, but would be


def warn(
    session: Session, *, event_id: int, alert_domain: str, clock: Clock, must_prove: bool = True
) -> list[AlertRow]:
    """Owe every route concerned what is new to it, and put the delivery; the caller commits.

    Returns what is owed now, with what was held and has been brought up to date.

    Args:
        must_prove: tell only about From domains that their organisation has proven.

    Raises:
        AgainLaterError: an alert left while it was brought up to date.
    """
    row = session.get_one(IncidentEventRow, event_id)
    event = incidents.decode(row)
    if event.state not in TOLD:
        return []
    now = clock.now()
    story = alerts.story(session, event.incident, now=now)
    all_concerned = _concerned(session, event, story, must_prove=must_prove, now=now)
    bodies = known.bodies(session, event, [one.route for one in all_concerned], now=now)
    owed: list[Owing] = []
    renewed: list[AlertRow] = []
    for concern in all_concerned:
        if any(line.event_id > event_id for line in concern.lines):
            continue  # it knows more than this event says
        owing = _owing(row, event, concern, bodies[saved(concern.route.id)], now)
        if not _held_was_changed(session, event, concern, owing, alert_domain, now):
            owed += [owing] if owing else []
        elif owing:
            renewed += [session.get_one(AlertRow, x.alert_id) for x in concern.lines if x.is_held]
    owed.sort(key=lambda owing: str(owing.body["news"]))  # pages join what stands side by side
    return [*alerts.owe_all(session, owed, domain=alert_domain, now=now), *renewed]


def _concerned(
    session: Session,
    event: IncidentEvent,
    story: Mapping[int, Sequence[Line]],
    *,
    must_prove: bool,
    now: datetime,
) -> list[_Concern]:
    """Whom to tell. An end is told to all whom the beginning reached, and to nobody else.

    Since then, the incident may have been named anew, with others as its victims.
    """
    if event.state is State.CLOSED:
        reached = {route for route, lines in story.items() if any(one.is_reached for one in lines)}
        told = concerned.routes_by_id(session, reached)
        return [_Concern(route, story[saved(route.id)]) for route in told]
    if event.cause in INTERNAL:
        return []
    found: dict[int, _Concern] = {}
    for route in concerned.routes(session, _hit(event), must_prove=must_prove):
        found[saved(route.id)] = _Concern(route, story.get(saved(route.id), ()))
    might = concerned.next_to_be_hit(session, event, now=now)
    for route in concerned.routes(session, might, must_prove=must_prove):
        lines = story.get(saved(route.id), ())
        was_hit = any(not one.is_before and not one.is_lost for one in lines)
        if saved(route.id) not in found and not was_hit:
            found[saved(route.id)] = _Concern(route, lines, is_before=True)
    return [one for one in found.values() if _is_wanted(one, event)]


def _hit(event: IncidentEvent) -> list[str]:
    if event.cause.blames_sender and event.sender:
        return [event.sender]
    return sorted({*event.hit, *([event.sender] if event.sender else [])})


def _is_wanted(concern: _Concern, event: IncidentEvent) -> bool:
    """Do the route's filters let it begin? Whoever was told hears what is new later, too."""
    if any(not line.is_lost for line in concern.lines):
        return True
    route = concern.route
    is_cause = not route.causes or str(event.cause) in route.causes
    return is_cause and severity(event).rank >= route.least.rank


def _owing(
    row: IncidentEventRow,
    event: IncidentEvent,
    concern: _Concern,
    body: dict[str, object],
    now: datetime,
) -> Owing | None:
    is_end = event.state is State.CLOSED
    told = [one for one in concern.lines if (one.is_reached if is_end else _counts(one))]
    lost = [one.topic for one in concern.lines if one not in told and not one.is_held]
    new = news(event, [one.told() for one in told], is_before=concern.is_before, taken=lost)
    if new is None:
        return None
    was_before = is_end and all(one.is_before for one in told)
    before = {"before": True} if concern.is_before or was_before else {}
    return Owing(
        route_id=saved(concern.route.id),
        about=About.INCIDENT,
        thread=event.incident,
        topic=new.topic,
        severity=new.severity,
        body={**body, "news": str(new.kind), **before},
        due_at=concerned.due_at(concern.route, new.severity, now=now),
        event=row,
    )


def _counts(line: Line) -> bool:
    """Has the route been told, or will be before anything else is?"""
    return not line.is_lost and not line.is_held


def _held_was_changed(
    session: Session,
    event: IncidentEvent,
    concern: _Concern,
    owing: Owing | None,
    domain: str,
    now: datetime,
) -> bool:
    """Let an alert that waits for the end of quiet hours tell the news instead, if there is one.

    An end is an alert of its own: what waits and was overtaken by it finds that out itself.
    """
    held = next((one for one in concern.lines if one.is_held), None)
    if held is None or event.state is State.CLOSED:
        return False
    if owing is None:
        is_done = alerts.withdraw(session, held.alert_id, alerts.OVERTAKEN, now=now)
    else:
        is_done = alerts.bring_up_to_date(session, held.alert_id, owing, domain=domain)
    if not is_done:
        raise AgainLaterError(f"alert {held.alert_id} left while it was brought up to date.")
    return True
