"""What came of the demo, read back from its rows, its pages' queries and its mailboxes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from monitor.core.campaigns import Wanted
from monitor.core.incidents import Incident, State
from monitor.core.placements import Placement
from monitor.core.ports import LinkState
from monitor.core.routes import About
from monitor.core.seeds import Account
from monitor.demo.stage import INBOX_PASSWORD, START, Stage
from monitor.demo.story import Check, Facts, ReadAlert, check
from monitor.store import incidents
from monitor.store.placed import Placed, placed
from monitor.store.route_tables import RouteRow
from monitor.store.tables import CopyRow, LinkCheckRow, SightingRow, TestRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow

ALERT_LIMIT = 256 * 1024  # bytes of an alert that are read back


@dataclass(frozen=True, slots=True)
class Report:
    """The demo's outcome."""

    tests: int
    copies: int
    sightings: int
    providers: Mapping[str, Placed]
    incidents: Sequence[Incident]
    alerts: Sequence[ReadAlert]
    checks: Sequence[Check]

    @property
    def story_ok(self) -> bool:
        return all(one.holds for one in self.checks)

    def as_json(self, seconds: float) -> dict[str, Any]:
        """Return the document of DESIGN section 10."""
        return {
            "seconds": round(seconds, 1),
            "tests": self.tests,
            "copies": self.copies,
            "sightings": self.sightings,
            "providers": {name: placed.as_json() for name, placed in self.providers.items()},
            "incidents": [_incident(incident) for incident in self.incidents],
            "alerts": [
                {
                    "to": alert.to,
                    "subject": alert.subject,
                    "incident": alert.incident,
                    "state": alert.state,
                    "read_back": alert.read_back,
                }
                for alert in self.alerts
            ],
            "checks": [asdict(one) for one in self.checks],
            "story_ok": self.story_ok,
        }


def report(stage: Stage) -> Report:
    """Read everything back; alerts are looked for in their recipients' mailboxes by IMAP."""
    with Session(stage.house.engine) as session:
        found = incidents.all_incidents(session)
        alerts = _alerts(session, stage)
        facts = Facts(
            incidents=found,
            alerts=alerts,
            removed_at=frozenset(_providers_with_removals(session)),
            blocked_at=frozenset(
                session.exec(
                    select(LinkCheckRow.provider)
                    .where(col(LinkCheckRow.state) == LinkState.BLOCKED)
                    .distinct()
                ).all()
            ),
            unsent=_count(session, AlertRow, col(AlertRow.sent_at).is_(None)),
        )
        return Report(
            tests=_count(session, TestRow),
            copies=_count(session, CopyRow),
            sightings=_count(session, SightingRow),
            providers=placed(session, since=START, until=stage.clock.now()),
            incidents=found,
            alerts=alerts,
            checks=check(facts),
        )


def _incident(incident: Incident) -> dict[str, Any]:
    latest = incident.latest
    return {
        "id": incident.id,
        "cause": latest.cause,
        "provider": latest.provider,
        "feature": latest.feature,
        "sender": latest.sender,
        "direction": latest.direction,
        "gauge": latest.gauge,
        "opened_at": incident.opened_at.isoformat(),
        "closed_at": incident.closed_at.isoformat() if incident.closed_at else None,
        "states": list(incident.states),
        "sentence": latest.sentence,
        "posterior": latest.posterior.get(latest.cause),
    }


def _alerts(session: Session, stage: Stage) -> list[ReadAlert]:
    rows = session.exec(
        select(AlertRow, RouteRow)
        .join(RouteRow, col(RouteRow.id) == col(AlertRow.route_id))
        .where(col(AlertRow.sent_at).is_not(None), col(AlertRow.about) == About.INCIDENT)
        .order_by(col(AlertRow.id))
    ).all()
    texts = _read_back(stage, [(route.address, row.message_id) for row, route in rows])
    return [
        ReadAlert(
            to=route.address,
            subject=row.subject,
            incident=row.incident,
            state=row.state or State.CONFIRMED,
            read_back=row.message_id in texts,
            text=texts.get(row.message_id, b"").decode("utf-8", "replace"),
        )
        for row, route in rows
    ]


def _read_back(stage: Stage, sent: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """Message-ID -> the mail as it lies in its recipient's mailbox; absent if it is not there."""
    wanted: dict[str, list[Wanted]] = {}
    for address, message_id in sent:
        wanted.setdefault(address, []).append(Wanted(message_id, "", START))
    found: dict[str, bytes] = {}
    for address, letters in wanted.items():
        mailbox = stage.house.edges.open_mailbox(
            Account(
                address=address,
                provider="corporate",
                endpoint=stage.lab.providers["corporate"].imap,
                username=address,
                password=INBOX_PASSWORD,
            ),
            stage.house.facts["corporate"],
        )
        for one in mailbox.look(letters):
            raw = mailbox.read(one.message_id, limit=ALERT_LIMIT)
            if raw is not None:
                found[one.message_id] = raw
        mailbox.close()
    return found


def _providers_with_removals(session: Session) -> list[str]:
    return list(
        session.exec(
            select(CopyRow.provider)
            .join(SightingRow, col(SightingRow.copy_id) == col(CopyRow.id))
            .where(col(SightingRow.placement) == Placement.REMOVED)
            .distinct()
        ).all()
    )


def _count(session: Session, table: type, *conditions: Any) -> int:  # noqa: ANN401
    return session.exec(select(func.count()).select_from(table).where(*conditions)).one()


def events_after(session: Session, event_id: int) -> list[tuple[int, datetime, str, str]]:
    """Incident events above *event_id* as (id, time, state, sentence), in order."""
    rows = session.execute(
        sql_select(
            col(IncidentEventRow.id),
            col(IncidentEventRow.at),
            col(IncidentEventRow.state),
            col(IncidentEventRow.sentence),
        )
        .where(col(IncidentEventRow.id) > event_id)
        .order_by(col(IncidentEventRow.id))
    )
    return [(event, at, str(state), sentence) for event, at, state, sentence in rows]
