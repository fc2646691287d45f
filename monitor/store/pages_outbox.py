"""What the outbox page shows: routes, what could not be delivered, and each attempt."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from monitor.store.agreement import speaker
from monitor.store.columns import saved
from monitor.store.route_tables import AttemptRow, RouteRow
from monitor.store.verdict_tables import AlertRow

_ATTEMPTS = 5  # the latest of each alert


@dataclass(frozen=True, slots=True)
class RouteLine:
    """A route, and how many alerts it was sent, is owed, and will never get."""

    route: RouteRow
    to: str  # without what may be secret in an address
    sent: int
    owed: int
    dead: int
    sent_at: datetime | None  # the latest


@dataclass(frozen=True, slots=True)
class Stuck:
    """An alert that is not delivered: tried at least once, or given up."""

    alert: AlertRow
    kind: str
    to: str
    attempts: list[AttemptRow]  # the latest first


def route_lines(session: Session, *, limit: int = 200) -> list[RouteLine]:
    """Return the routes that were not removed, oldest first."""
    sent = func.sum(case((col(AlertRow.sent_at).is_not(None), 1), else_=0))
    dead = func.sum(case((col(AlertRow.dead_at).is_not(None), 1), else_=0))
    latest = func.max(col(AlertRow.sent_at), type_=AlertRow.__table__.c.sent_at.type)  # type: ignore[attr-defined]
    counts = {
        route: (of_all, of_sent, of_dead, at)
        for route, of_all, of_sent, of_dead, at in session.execute(
            select(AlertRow.route_id, func.count(), sent, dead, latest).group_by(  # type: ignore[call-overload]
                col(AlertRow.route_id)
            )
        )
    }
    rows = select(RouteRow).where(col(RouteRow.removed_at).is_(None))
    lines = []
    for route in session.exec(rows.order_by(col(RouteRow.id)).limit(limit)):
        of_all, of_sent, of_dead, at = counts.get(route.id, (0, 0, 0, None))
        owed = of_all - of_sent - of_dead
        lines.append(RouteLine(route, speaker(route), of_sent, owed, of_dead, at))
    return lines


def stuck(session: Session, *, limit: int = 50) -> list[Stuck]:
    """Return the newest alerts that are not delivered, with their latest attempts."""
    rows = session.exec(
        select(AlertRow, RouteRow)
        .join(RouteRow, col(RouteRow.id) == col(AlertRow.route_id))
        .where(
            col(AlertRow.sent_at).is_(None),
            (col(AlertRow.attempts) > 0) | col(AlertRow.dead_at).is_not(None),
        )
        .order_by(col(AlertRow.id).desc())
        .limit(limit)
    ).all()
    log: dict[int, list[AttemptRow]] = defaultdict(list)
    tried = select(AttemptRow).where(col(AttemptRow.alert_id).in_([a.id for a, _ in rows]))
    for attempt in session.exec(tried.order_by(col(AttemptRow.id).desc()).limit(limit * 20)):
        log[attempt.alert_id].append(attempt)
    return [
        Stuck(alert, route.kind, speaker(route), log[saved(alert.id)][:_ATTEMPTS])
        for alert, route in rows
    ]
