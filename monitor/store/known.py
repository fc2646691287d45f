"""What is known of an incident when its alerts are owed, and is told: each alert's body."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, select

from monitor.core.exposure import UNKNOWN
from monitor.core.incidents import IncidentEvent
from monitor.store.columns import saved
from monitor.store.route_tables import AcknowledgementRow, AudienceRow, RouteRow
from monitor.store.tables import CampaignRow, TestRow

MAX_TESTS: Final = 20

# organisation, sender (None: the whole organisation)
Scope = tuple[int, int | None]


def bodies(
    session: Session, event: IncidentEvent, routes: Sequence[RouteRow], *, now: datetime
) -> dict[int, dict[str, object]]:
    """Return for each route (id) what its alert about *event* holds; docs/warn.md has the keys."""
    organisations = {route.organisation_id for route in routes}
    exposed = _exposures(session, event.provider, organisations)
    tests = _own_tests(session, event.tests, organisations)
    acknowledged = acknowledgements(session, event.incident, organisations, now=now)
    found: dict[int, dict[str, object]] = {}
    for route in routes:
        scope = (route.organisation_id, route.sender_id)
        body: dict[str, object] = {"hit": len(event.hit)}
        exposure = exposed.get(scope) or exposed.get((route.organisation_id, None))
        if exposure:
            body["exposure"] = exposure
        body["tests"] = _of_scope(tests, scope)
        if route.organisation_id in acknowledged:
            body["acknowledged"] = acknowledged[route.organisation_id]
        found[saved(route.id)] = body
    return found


def acknowledgements(
    session: Session, incident: str, organisations: Iterable[int], *, now: datetime
) -> dict[int, dict[str, object]]:
    """By whom each organisation has acknowledged or snoozed an incident, if that holds now."""
    rows = session.exec(
        select(AcknowledgementRow)
        .where(
            col(AcknowledgementRow.incident) == incident,
            col(AcknowledgementRow.organisation_id).in_(list(organisations)),
        )
        .order_by(col(AcknowledgementRow.id))
    ).all()
    newest: dict[int, AcknowledgementRow] = {}
    for row in rows:  # what was acknowledged for good stands above what was put off
        before = newest.get(row.organisation_id)
        if before is None or before.until is not None:
            newest[row.organisation_id] = row
    return {
        organisation: {
            "by": row.by,
            "at": row.at.isoformat(),
            "until": row.until.isoformat() if row.until else None,
        }
        for organisation, row in newest.items()
        if row.until is None or row.until > now
    }


def _exposures(
    session: Session, provider: str | None, organisations: Iterable[int]
) -> dict[Scope, dict[str, object]]:
    if provider is None:
        return {}
    rows = session.exec(
        select(AudienceRow).where(
            col(AudienceRow.provider).in_([provider, UNKNOWN]),
            col(AudienceRow.organisation_id).in_(list(organisations)),
        )
    ).all()
    unknown = {
        (row.organisation_id, row.sender_id): row.recipients
        for row in rows
        if row.provider == UNKNOWN
    }
    return {
        (row.organisation_id, row.sender_id): {
            "provider": provider,
            "recipients": row.recipients,
            "total": row.total,
            "unknown": unknown.get((row.organisation_id, row.sender_id), 0),
            "share": row.recipients / row.total,
            "measured_at": row.measured_at.isoformat(),
        }
        for row in rows
        if row.provider == provider and row.total > 0
    }


def _own_tests(
    session: Session, uids: Sequence[str], organisations: Iterable[int]
) -> Mapping[Scope, list[dict[str, str]]]:
    rows = session.exec(
        select(TestRow.uid, CampaignRow.name, CampaignRow.organisation_id, CampaignRow.sender_id)
        .join(CampaignRow, col(CampaignRow.id) == col(TestRow.campaign_id))
        .where(
            col(TestRow.uid).in_(list(uids)),
            col(CampaignRow.organisation_id).in_(list(organisations)),
        )
        .order_by(col(TestRow.id).desc())
    ).all()
    found: dict[Any, list[dict[str, str]]] = {}
    for uid, name, organisation, sender in rows:
        found.setdefault((organisation, sender), []).append({"uid": uid, "name": name})
        found.setdefault((organisation, None), []).append({"uid": uid, "name": name})
    return found


def _of_scope(tests: Mapping[Scope, list[dict[str, str]]], scope: Scope) -> list[dict[str, str]]:
    return tests.get(scope, [])[:MAX_TESTS]
