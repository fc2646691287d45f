"""Who writes which mail, from what the house knows."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from monitor.alerts import digest, letters, operator
from monitor.alerts.message import render
from monitor.alerts.occasion import Links, Occasion, Office
from monitor.core.advice import hold_advice
from monitor.core.ports import Message
from monitor.core.routes import About, Owed
from monitor.signed_links import Purpose
from monitor.store import advisories

if TYPE_CHECKING:
    from monitor.wiring.house import House


def office(house: "House") -> Office:
    """What all mail of this installation has in common."""
    return Office(house.facts, house.settings.web.base_url, house.settings.data.templates_dir)


def writers(house: "House") -> Mapping[About, Callable[[Owed], Message]]:
    """Return, for each thing that is told, who writes it."""
    return {
        About.INCIDENT: partial(_incident, house),
        About.DIGEST: partial(_digest, house),
        About.CONFIRM: partial(_confirm, house),
        About.TRIAL: partial(_trial, house),
        About.OPERATOR: partial(_operator, house),
    }


def _incident(house: "House", owed: Owed) -> Message:
    if owed.event is None:
        raise ValueError(f"alert {owed.alert_id} is about an incident and has no event")
    advice = hold_advice(owed.event, house.facts, house.clock.now())
    occasion = Occasion(
        owed.to,
        owed.audience,
        owed.severity,
        body=_with_lead(house, owed, owed.event.incident),
        links=Links(
            acknowledge=house.links.url(Purpose.ACKNOWLEDGE, owed.route_id, owed.thread),
            snooze=house.links.url(Purpose.SNOOZE, owed.route_id, owed.thread),
        ),
        advice=[advice.as_json()] if advice else [],
    )
    return render(owed.event, occasion, office(house))


def _with_lead(house: "House", owed: Owed, incident: str) -> Mapping[str, Any]:
    """Say too who was first, we or the provider, if that admits it."""
    with Session(house.engine) as session:
        return {**owed.body, "lead": _lead(session, house, incident)}


def _lead(session: Session, house: "House", incident: str) -> str:
    names = {provider: known.name for provider, known in house.facts.items()}
    return advisories.lead_of(session, incident, names)


def _digest(house: "House", owed: Owed) -> Message:
    body = _body(owed)
    with Session(house.engine) as session:
        incidents = [
            {**one, "sentence": f"{one['sentence']} {_lead(session, house, one['incident'])}"}
            for one in body.get("incidents", ())
        ]
    return digest.render(
        {**body, "incidents": incidents},
        recipient=owed.to,
        leave=house.links.url(Purpose.UNSUBSCRIBE, owed.route_id, owed.to),
        office=office(house),
    )


def _confirm(house: "House", owed: Owed) -> Message:
    link = house.links.url(Purpose.CONFIRM, owed.route_id, owed.to)
    return letters.confirm(_body(owed), link=link, recipient=owed.to, office=office(house))


def _trial(house: "House", owed: Owed) -> Message:
    return letters.trial(recipient=owed.to, route_id=owed.route_id, office=office(house))


def _operator(house: "House", owed: Owed) -> Message:
    return operator.render(
        owed.body,
        topic=owed.topic,
        severity=owed.severity,
        recipient=owed.to,
        page=house.settings.web.base_url,
        templates_dir=house.settings.data.templates_dir,
    )


def _body(owed: Owed) -> Mapping[str, Any]:
    return dict(owed.body)
