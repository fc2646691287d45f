"""Survive: see to it that an alert does not die of what it reports.

An alert by e-mail to somebody whose mail is received by the very provider that it warns of may
be filtered as well. So it is told over a second route too, and twins of it are sent to our own
seeds there (steps/twin), to learn whether it can have arrived.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError
from monitor.core.incidents import IncidentEvent, State
from monitor.core.routes import Arrival, Audience
from monitor.store import alerts, incidents, jobs, twins
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow

EMAIL: Final = "email"
MOST_ASKED: Final = 20  # routes whose recipients' providers are looked up, for one alert


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who receives mail, by the DNS.

    `provider_of` tells the provider of a mail domain, or "other"; it raises AgainLaterError
    without an answer. `house` tells which providers share the filter of one.
    """

    provider_of: Callable[[str], str]
    house: Callable[[str], Collection[str]]


def plan(session: Session, owed: Sequence[AlertRow]) -> None:
    """Put as work that these alerts are looked after, where that may be needed.

    The caller commits. An end is left alone: by then mail arrives.
    """
    mine = {alert.route_id for alert in owed}
    by_mail = set(
        session.exec(
            select(RouteRow.id).where(col(RouteRow.id).in_(mine), col(RouteRow.kind) == EMAIL)
        ).all()
    )
    for alert in owed:
        if alert.route_id not in by_mail or alert.state is State.CLOSED:
            continue
        jobs.put(
            session,
            "survive",
            {"alert": alert.id},
            unique_key=f"survive:{alert.id}",
            due_at=alert.due_at,
        )


def survive(
    session: Session, *, alert_id: int, receivers: Receivers, alert_domain: str, clock: Clock
) -> None:
    """Owe the second route the same, and make twins, if the recipient's provider is affected.

    The caller commits. Done twice, it does nothing more.

    Raises:
        AgainLaterError: the DNS does not say who receives for the recipient.
    """
    alert = session.get_one(AlertRow, alert_id)
    route = session.get_one(RouteRow, alert.route_id)
    if alert.event_id is None or route.kind != EMAIL or alert.arrival is not Arrival.UNASKED:
        return
    event = incidents.decode(session.get_one(IncidentEventRow, alert.event_id))
    affected = _affected(event, receivers)
    session.commit()  # no transaction stays open while we ask the DNS
    if _receives(route, receivers) not in affected:
        return
    second = _second(session, route, affected, receivers)
    now = clock.now()
    if second is not None:
        alerts.pass_on(session, alert, second, domain=alert_domain, now=now)
    _send_twins(session, alert, route, event, alert_domain=alert_domain, now=now)


def _affected(event: IncidentEvent, receivers: Receivers) -> Collection[str]:
    """The providers whose filter may take the alert: none, if it is about no provider."""
    return receivers.house(event.provider) if event.provider else ()


def _receives(route: RouteRow, receivers: Receivers) -> str:
    return receivers.provider_of(route.address.rpartition("@")[2])


def _second(
    session: Session, route: RouteRow, affected: Collection[str], receivers: Receivers
) -> RouteRow | None:
    """Return the route to tell as well: its own second one, else any that does not go there.

    One that is chosen here is of the same sender or of the whole organisation, and is not by
    mail, or by mail to another provider.
    """
    own = session.get(RouteRow, route.second_id) if route.second_id else None
    if own is not None and alerts.is_open(own):
        return own
    others = session.exec(
        select(RouteRow)
        .where(
            col(RouteRow.organisation_id) == route.organisation_id,
            col(RouteRow.id) != route.id,
            col(RouteRow.audience) != Audience.OPERATOR,
            col(RouteRow.sender_id).is_(None) | (col(RouteRow.sender_id) == route.sender_id),
        )
        .order_by(col(RouteRow.kind) == EMAIL, col(RouteRow.id))
        .limit(MOST_ASKED)
    ).all()
    session.commit()
    for other in others:
        if not alerts.is_open(other):
            continue
        if other.kind != EMAIL or _goes_elsewhere(other, affected, receivers):
            return other
    return None


def _goes_elsewhere(route: RouteRow, affected: Collection[str], receivers: Receivers) -> bool:
    """Surely: a route of which the DNS tells nothing now must not hold up those behind it."""
    try:
        return _receives(route, receivers) not in affected
    except AgainLaterError:
        return False


def _send_twins(
    session: Session,
    alert: AlertRow,
    route: RouteRow,
    event: IncidentEvent,
    *,
    alert_domain: str,
    now: datetime,
) -> None:
    """Make twins, unless another alert of the organisation that tells the same has some."""
    organisation = route.organisation_id
    same = twins.siblings(session, alert, organisation)
    known = next((one for one in same if one.arrival is not Arrival.UNASKED), None)
    if known is not None:
        alert.arrival = known.arrival
        session.add(alert)
        return
    seeds = twins.seeds_at(session, organisation, [event.provider] if event.provider else [])
    if seeds:
        alert.arrival = Arrival.AWAITED
        session.add(alert)
        twins.make(session, alert, seeds, domain=alert_domain, now=now)
