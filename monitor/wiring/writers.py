"""Who writes the messages that are owed, by what they are about."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from monitor.alerts.message import render
from monitor.alerts.occasion import Links, Occasion, Office
from monitor.core.ports import Message
from monitor.core.routes import About, Owed
from monitor.signed_links import Purpose
from monitor.steps.tell import Write

if TYPE_CHECKING:
    from monitor.wiring.house import House


def writers(house: "House") -> Mapping[About, Write]:
    """Return, for each thing that is told, who writes it."""
    return {About.INCIDENT: partial(_incident, house)}


def _incident(house: "House", owed: Owed) -> Message:
    if owed.event is None:
        raise ValueError(f"alert {owed.alert_id} is about an incident and has no event")
    occasion = Occasion(
        owed.to,
        audience=owed.audience,
        severity=owed.severity,
        body=owed.body,
        links=_links(house, owed),
    )
    return render(owed.event, occasion, office(house))


def office(house: "House") -> Office:
    """What all mail of this installation has in common."""
    return Office(house.facts, house.settings.web.base_url, house.settings.data.templates_dir)


def _links(house: "House", owed: Owed) -> Links:
    return Links(
        acknowledge=house.links.url(Purpose.ACKNOWLEDGE, owed.route_id, owed.thread),
        snooze=house.links.url(Purpose.SNOOZE, owed.route_id, owed.thread),
    )
