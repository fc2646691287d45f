"""Incidents: what could concern the caller's mail, and that somebody knows of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from flask import Response, request
from sqlmodel import Session

from monitor.core.incidents import Incident, Tally
from monitor.core.scopes import Scope
from monitor.store import acknowledgements, own_incidents
from monitor.store.incidents import all_incidents
from monitor.store.incidents import one as load
from monitor.store.own_incidents import Own
from monitor.store.pages_incidents import relevant
from monitor.store.route_tables import AcknowledgementRow
from monitor.web.api.answers import answer, bad, body, missing
from monitor.web.api.door import MOST_OPEN, api, holder, needs
from monitor.web.parts import parts

MOST = 100  # incidents of one answer
MAX_ID = 100  # characters
MAX_SNOOZE = timedelta(days=14)


@api.get("/incidents")
@needs(Scope.INCIDENTS_READ)
def incidents() -> Response:
    """Return the open incidents that could concern the caller's mail, or all the latest."""
    state = request.args.get("state", "open")
    if state not in {"open", "all"}:
        raise bad("bad_state", 'Write "open" or "all".')
    with parts().session() as session:
        mine = _own(session)
        now = parts().clock.now()
        is_all = state == "all"
        rows = all_incidents(session) if is_all else relevant(session, since=now, limit=MOST_OPEN)
        seen = own_incidents.seen(rows, mine)
        wanted = [one for one in seen if one.is_open or is_all]
        found = [_as_json(session, one, mine) for one in wanted[:MOST]]
    return answer({"incidents": found, "left_out": max(0, len(wanted) - MOST)})


@api.post("/incidents/<path:incident>/acknowledge")
@needs(Scope.INCIDENTS_WRITE)
def acknowledge(incident: str) -> Response:
    """Write down that somebody knows: reminders end. Again is harmless."""
    body(frozenset())
    return _known(incident, until=None)


@api.post("/incidents/<path:incident>/snooze")
@needs(Scope.INCIDENTS_WRITE)
def snooze(incident: str) -> Response:
    """Hold reminders back for some hours."""
    hours = body({"hours"}).get("hours")
    most = MAX_SNOOZE / timedelta(hours=1)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= most:
        raise bad("bad_hours", f'Give "hours": a number up to {most:.0f}.')
    return _known(incident, until=parts().clock.now() + timedelta(hours=hours))


def _known(incident: str, *, until: datetime | None) -> Response:
    now = parts().clock.now()
    with parts().session() as session:
        found = load(session, incident) if len(incident) <= MAX_ID else None
        if found is None or not _own(session).sees(found[0].latest):
            raise missing("no_such_incident", "There is no such incident.")
        row = acknowledgements.acknowledge(
            session,
            holder().organisation_id,
            incident,
            by=f"key {holder().name}",
            now=now,
            until=until,
        )
        told = _acknowledgement(row)
        session.commit()
    return answer({"incident": incident, "acknowledgement": told})


def _own(session: Session) -> Own:
    return own_incidents.own(session, holder().organisation_id, now=parts().clock.now())


def _as_json(session: Session, incident: Incident, mine: Own) -> dict[str, object]:
    latest, owner = incident.latest, holder().organisation_id
    known = acknowledgements.state(session, owner, incident.id, parts().clock.now())
    return {
        "id": incident.id,
        "state": latest.state.value,
        "cause": latest.cause.value,
        "probability": latest.posterior.get(latest.cause),
        "sentence": latest.sentence,
        "provider": latest.provider,
        "feature": latest.feature,
        "sender": latest.sender,
        "direction": latest.direction.value,
        "opened_at": incident.opened_at.isoformat(),
        "closed_at": _iso(incident.closed_at),
        "since": latest.start.isoformat(),
        "since_low": latest.start_low.isoformat(),
        "since_high": latest.start_high.isoformat(),
        "until": _iso(latest.until),
        "hit": _tallies(latest.evidence.hit, mine),
        "spared": _tallies(latest.evidence.spared, mine),
        "tests": own_incidents.own_tests(session, owner, latest.tests[-500:]),
        "acknowledgement": _acknowledgement(known) if known else None,
    }


def _tallies(tallies: Iterable[Tally], mine: Own) -> list[dict[str, object]]:
    """The caller's own senders: how many of n copies did not reach the inbox."""
    return [
        {
            "sender": tally.name,
            "n": tally.n,
            "bad": tally.bad,
            "n_eff": tally.n_eff,
            "low": tally.low,
            "high": tally.high,
            "usual": tally.expected,
        }
        for tally in tallies
        if tally.name in mine.senders
    ]


def _acknowledgement(row: AcknowledgementRow) -> dict[str, object]:
    return {"by": row.by, "at": row.at.isoformat(), "until": _iso(row.until)}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
