"""Incidents: the list, and one incident with its evidence."""

from collections.abc import Sequence

from flask import Blueprint, abort, render_template, request
from sqlmodel import Session

from monitor.core.advisories import lead_sentence
from monitor.core.incidents import Evidence, Incident
from monitor.store import pages as counted
from monitor.store.acknowledgements import of_incident
from monitor.store.advisories import related
from monitor.store.incidents import all_incidents
from monitor.store.incidents import one as load
from monitor.store.pages_incidents import Notice, alerts, notices, relevant, sender_names
from monitor.web.outbox import told
from monitor.web.parts import parts
from monitor.web.tallies import control_rows, own_troubles, reading_rows, sender_rows
from monitor.web.verdict import urgent_first

pages = Blueprint("incidents", __name__, url_prefix="/incidents")

_LINES = 25
_TESTS = 10
_ALERTS = 200
_NAMES = 500


@pages.get("")
def index() -> str:
    """List the open incidents, and the closed ones page by page."""
    page = max(1, min(request.args.get("page", 1, type=int), 10_000))
    with parts().session() as session:
        found = all_incidents(session)
    closed = [i for i in found if not i.is_open]
    return render_template(
        "web/incidents.html",
        open_incidents=urgent_first(i for i in found if i.is_open),
        closed_incidents=closed[(page - 1) * _LINES : page * _LINES],
        closed_total=len(closed),
        page=page,
        last_page=max(1, -(-len(closed) // _LINES)),
    )


@pages.get("/<path:incident_id>")
def one(incident_id: str) -> str:
    """Show one incident: the verdict, its life, and the table behind it."""
    with parts().session() as session:
        found = load(session, incident_id)
        if found is None:
            abort(404)
        incident, events = found
        latest = incident.latest
        said = notices(session, incident)
        leads = _leads(session, incident)
        context = _evidence(session, incident) | {
            "tests": counted.tests_named(session, latest.tests[-_NAMES:], limit=_TESTS),
            "known_to": of_incident(session, incident.id),
            "alerts": told(alerts(session, limit=_ALERTS, incident=incident.id)),
        }
    return render_template(
        "web/incident.html",
        incident=incident,
        events=events,
        notices=said,
        leads=leads,
        ahead_of=_ahead_of(incident, [n for n in said if n.id in leads]),
        **context,
    )


def _evidence(session: Session, incident: Incident) -> dict[str, Sequence[object]]:
    evidence = incident.latest.evidence
    names = sender_names(session, _keys(evidence))
    others = relevant(session, since=incident.latest.start_low)
    return {
        "hit": sender_rows(evidence.hit, names),
        "spared": sender_rows(evidence.spared, names, own_troubles(incident, others)),
        "controls": control_rows(evidence.controls, incident, parts().provider_name),
        "readings": reading_rows(evidence.readings, names, parts().provider_name),
    }


def _leads(session: Session, incident: Incident) -> dict[str, str]:
    """By advisory that tells of the same: who was first, in words."""
    found = related(session, incident, now=parts().clock.now())
    name = parts().provider_name
    return {s.id: lead_sentence(s, how.lead, name(s.provider)) for s, how in found if how.is_same}


def _ahead_of(incident: Incident, said: list[Notice]) -> Notice | None:
    """The provider's first word on *incident*, if we saw it before that."""
    first = said[0] if said else None
    return first if first and first.first_published_at > incident.alarmed_at else None


def _keys(evidence: Evidence) -> list[str]:
    named = [*(t.name for t in evidence.hit), *(t.name for t in evidence.spared)]
    return [*named, *(r.name for r in evidence.readings)][:_NAMES]
