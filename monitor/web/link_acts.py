"""What each kind of link asks, and does. Doing it again changes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from flask import abort, request
from sqlmodel import Session

from monitor.core.incidents import Incident
from monitor.signed_links import Purpose
from monitor.store import acknowledgements, routes
from monitor.store.agreement import speaker, stop_all, stop_digests
from monitor.store.incidents import one
from monitor.store.route_tables import AcknowledgementRow, RouteRow
from monitor.store.tables import OrganisationRow
from monitor.web.link_words import LENGTHS, Told, local, snoozed_until
from monitor.web.parts import parts

_NEWS = "You are still told when it changes, and when it is over."
_SUMMARIES, _EVERYTHING = "summaries", "everything"

Act = Callable[[Session, RouteRow, str], Told]


@dataclass(frozen=True, slots=True)
class Acts:
    """*ask* only reads; *do* writes, and whoever calls it commits."""

    ask: Act
    do: Act


def _ask_acknowledge(session: Session, route: RouteRow, incident_id: str) -> Told:
    incident, known = _about(session, route, incident_id)
    if incident is None or not incident.is_open:
        return _over(incident)
    if known is not None and known.until is None:
        return _known(known, incident)
    return Told(
        "Acknowledge this incident?",
        ("Reminders of it will stop, for everyone in your organisation.", _NEWS),
        quoted=incident.latest.sentence,
        button="Acknowledge",
        incident=incident.id,
    )


def _acknowledge(session: Session, route: RouteRow, incident_id: str) -> Told:
    incident, _ = _about(session, route, incident_id)
    if incident is None or not incident.is_open:
        return _over(incident)
    row = _write(session, route, incident)
    return _known(row, incident)


def _ask_snooze(session: Session, route: RouteRow, incident_id: str) -> Told:
    incident, known = _about(session, route, incident_id)
    if incident is None or not incident.is_open:
        return _over(incident)
    if known is not None and known.until is None:
        return _known(known, incident)
    lines = ["No reminder of it will be sent, to anyone in your organisation, so long.", _NEWS]
    if known is not None and known.until is not None:
        lines.insert(0, f"Reminders are off until {local(known.until, route.timezone)}.")
    return Told(
        "Put off reminders of this incident?",
        lines,
        quoted=incident.latest.sentence,
        button="Put off",
        choices=tuple(LENGTHS.items()),
        incident=incident.id,
    )


def _snooze(session: Session, route: RouteRow, incident_id: str) -> Told:
    choice = request.form.get("choice", "")
    if choice not in LENGTHS:
        abort(HTTPStatus.BAD_REQUEST, "Choose one of the three, then press the button.")
    incident, _ = _about(session, route, incident_id)
    if incident is None or not incident.is_open:
        return _over(incident)
    row = _write(session, route, incident, choice)
    if row.until is None:
        return _known(row, incident)
    title = f"No reminder will be sent before {local(row.until, route.timezone)}."
    return Told(title, (_NEWS,), tone="good", incident=incident.id)


def _ask_confirm(session: Session, route: RouteRow, address: str) -> Told:
    if route.confirmed_at is not None:
        return _confirmed(address)
    owner = session.get(OrganisationRow, route.organisation_id)
    asks = f"{owner.name} asks for this." if owner else ""
    what = (
        f"Alerts about whether its mail arrives would be sent to {address}: when something "
        "goes wrong, whose fault it is, what to do, and when it is over."
    )
    return Told(
        "Receive these alerts?",
        (
            f"{asks} {what}".strip(),
            "If you do not want them, close this page: without your agreement nothing is sent.",
        ),
        button="Yes, send them",
    )


def _confirm(session: Session, route: RouteRow, address: str) -> Told:
    routes.confirm(session, route, routes.BY_LINK, now=parts().clock.now())
    return _confirmed(address)


def _ask_unsubscribe(_session: Session, _route: RouteRow, address: str) -> Told:
    return Told(
        "Stop these messages?",
        (f"They are sent to {address}.",),
        button="Stop",
        choices=(
            (_SUMMARIES, "only the regular summaries; alerts go on"),
            (_EVERYTHING, "everything, alerts too"),
        ),
    )


def _unsubscribe(session: Session, route: RouteRow, address: str) -> Told:
    now = parts().clock.now()
    if request.form.get("choice") == _EVERYTHING:
        stop_all(session, route, now=now)
        again = "To receive alerts again, ask whoever runs this installation for a new link."
        return Told(f"Nothing more will be sent to {address}.", (again,), tone="good")
    stop_digests(session, route, now=now)
    title = f"No more summaries will be sent to {address}."
    return Told(title, ("Alerts go on.",) if route.confirmed_at else (), tone="good")


ACTS: Mapping[Purpose, Acts] = {
    Purpose.ACKNOWLEDGE: Acts(_ask_acknowledge, _acknowledge),
    Purpose.SNOOZE: Acts(_ask_snooze, _snooze),
    Purpose.CONFIRM: Acts(_ask_confirm, _confirm),
    Purpose.UNSUBSCRIBE: Acts(_ask_unsubscribe, _unsubscribe),
}


def _about(
    session: Session, route: RouteRow, incident_id: str
) -> tuple[Incident | None, AcknowledgementRow | None]:
    found = one(session, incident_id)
    now = parts().clock.now()
    known = acknowledgements.state(session, route.organisation_id, incident_id, now)
    return (found[0] if found else None), known


def _write(
    session: Session, route: RouteRow, incident: Incident, choice: str = ""
) -> AcknowledgementRow:
    now = parts().clock.now()
    return acknowledgements.acknowledge(
        session,
        route.organisation_id,
        incident.id,
        by=speaker(route),
        now=now,
        until=snoozed_until(choice, route.timezone, now) if choice else None,
    )


def _over(incident: Incident | None) -> Told:
    if incident is None:
        return Told("This incident is no longer on record.", ("There is nothing to do.",))
    lines = ("No reminders are sent of what is over.",)
    return Told("This incident is over.", lines, tone="good", incident=incident.id)


def _known(row: AcknowledgementRow, incident: Incident) -> Told:
    title = f"Acknowledged by {row.by}: no more reminders will be sent."
    return Told(title, (_NEWS,), tone="good", incident=incident.id)


def _confirmed(address: str) -> Told:
    lines = ("Each message says what it is about; there is nothing else to do.",)
    return Told(f"Alerts will be sent to {address}.", lines, tone="good")
