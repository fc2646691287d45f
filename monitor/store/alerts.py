"""The outbox: what is owed to routes, once for each topic of a thread. The caller commits."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from monitor.core.incidents import Cause, State
from monitor.core.news import Told
from monitor.core.routes import About, Arrival, Severity
from monitor.store import concerned, jobs
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.rows import insert_once
from monitor.store.verdict_tables import AlertRow, IncidentEventRow

# Not delivered, and no trouble: there was nothing to tell any more.
TOO_LATE: Final = "the incident was over before this alert could be delivered"
OVERTAKEN: Final = "what this alert told was no news any more when it could be delivered"
AGAIN: Final = "again"  # in an alert's body: a person asked for it once more
WITHDRAWN: Final = (TOO_LATE, OVERTAKEN)


@dataclass(frozen=True, slots=True)
class Owing:
    """What is owed to one route: `topic` is what is new in `thread`."""

    route_id: int
    about: About
    thread: str
    topic: str
    severity: Severity = Severity.WARNING
    body: Mapping[str, object] = field(default_factory=dict)
    due_at: datetime | None = None  # None: now
    event: IncidentEventRow | None = None  # of an incident


def owe(session: Session, owing: Owing, *, domain: str, now: datetime) -> AlertRow | None:
    """Owe one message and put its delivery; None if this route was owed this topic before.

    Args:
        domain: of the Message-ID, which is the delivery's idempotency key.
    """
    return next(iter(owe_all(session, [owing], domain=domain, now=now)), None)


def owe_all(
    session: Session, owing: Sequence[Owing], *, domain: str, now: datetime
) -> list[AlertRow]:
    """Owe many messages; return the rows of those that were not owed before."""
    named = {delivery_id(o.thread, o.topic, o.route_id, domain): o for o in owing}
    known = set(_among(session, AlertRow.message_id, named))
    fresh = [name for name in named if name not in known]
    insert_once(session, AlertRow, [_values(name, named[name], now) for name in fresh])
    rows = list(
        session.exec(
            select(AlertRow).where(col(AlertRow.message_id).in_(fresh)).order_by(col(AlertRow.id))
        ).all()
    )
    for row in rows:
        put_delivery(session, saved(row.id), row.due_at)
    return rows


def delivery_id(thread: str, topic: str, route_id: int, domain: str) -> str:
    """The Message-ID of what a route is owed: always the same for the same topic."""
    digest = hashlib.sha256(f"{thread}\n{topic}\n{route_id}".encode()).hexdigest()
    return f"<alert.{digest[:32]}@{domain}>"


def put_delivery(session: Session, alert_id: int, due_at: datetime) -> None:
    """Let an alert be delivered, or looked at again, at *due_at*."""
    key = f"tell:{alert_id}"
    jobs.put(session, "tell", {"alert": alert_id}, unique_key=key, due_at=due_at, max_attempts=20)


@dataclass(frozen=True, slots=True)
class Line:
    """One alert in the story of an incident, as far as it was told to one route."""

    alert_id: int
    event_id: int
    topic: str
    cause: Cause
    provider: str | None
    feature: str | None
    hit: int
    is_before: bool
    is_end: bool
    is_reached: bool  # the route has it, for all that we know
    is_lost: bool  # it never will
    is_held: bool  # nobody can have seen it yet, and it is not due
    at: datetime | None  # when it was delivered, or may have been

    def told(self) -> Told:
        subject = (self.cause, self.provider, self.feature)
        return Told(self.topic, *subject, self.hit, self.is_end, self.is_before)


def story(session: Session, incident: str, *, now: datetime) -> dict[int, list[Line]]:
    """What each route (id) was told of an incident, or will be; oldest first."""
    event = IncidentEventRow
    rows = session.exec(
        select(AlertRow, event.provider, event.feature)
        .join(event, col(event.id) == col(AlertRow.event_id))
        .where(col(AlertRow.incident) == incident, col(AlertRow.about) == About.INCIDENT)
        .order_by(col(AlertRow.id))
    ).all()
    found: dict[int, list[Line]] = {}
    for row, provider, feature in rows:
        found.setdefault(row.route_id, []).append(_line(row, provider, feature, now))
    return found


def bring_up_to_date(session: Session, alert_id: int, owing: Owing, *, domain: str) -> bool:
    """Let an alert that nobody can have seen tell *owing* instead; False if it left meanwhile."""
    now = owing.due_at
    if now is None:
        raise ValueError("an alert that is brought up to date is due at some time")
    name = delivery_id(owing.thread, owing.topic, owing.route_id, domain)
    values = {**_values(name, owing, now)}
    del values["created_at"]
    if not _change_unseen(session, alert_id, values):
        return False
    put_delivery(session, alert_id, now)
    return True


def withdraw(session: Session, alert_id: int, why: str, *, now: datetime) -> bool:
    """Give up an alert that nobody can have seen; False if it left meanwhile."""
    return _change_unseen(session, alert_id, {"dead_at": now, "error": why})


def again(session: Session, row: AlertRow, *, now: datetime) -> None:
    """Deliver *row* once more under the same id, whatever became of it: a person asks for it."""
    row.sent_at = row.dead_at = row.started_at = None
    row.attempts, row.error, row.due_at = 0, "", now
    row.body = {**row.body, AGAIN: True}
    session.add(row)
    session.flush()
    put_delivery(session, saved(row.id), now)


def elsewhere(session: Session, row: AlertRow, *, domain: str, now: datetime) -> AlertRow | None:
    """Owe what *row* tells to its route's second one too; None if there is none that may be told.

    It is told there once, and passed on no further.
    """
    route = session.get_one(RouteRow, row.route_id)
    second = session.get(RouteRow, route.second_id) if route.second_id else None
    if second is None or not is_open(second) or "instead_of" in row.body:
        return None
    return pass_on(session, row, second, domain=domain, now=now)


def pass_on(
    session: Session, row: AlertRow, second: RouteRow, *, domain: str, now: datetime
) -> AlertRow | None:
    """Owe *second* what *row* tells; None if it is told of that anyway."""
    owing = Owing(
        route_id=saved(second.id),
        about=row.about,
        thread=row.incident,
        topic=row.topic,
        severity=row.severity,
        body={**row.body, "instead_of": row.route_id},
        due_at=concerned.due_at(second, row.severity, now=now),
        event=session.get(IncidentEventRow, row.event_id) if row.event_id else None,
    )
    return owe(session, owing, domain=domain, now=now)


def is_open(route: RouteRow) -> bool:
    """May *route* be told of anything?"""
    return route.confirmed_at is not None and route.suspended_at is None


def first_message_id(session: Session, thread: str, route_id: int) -> str:
    """The Message-ID of the first alert of a thread to a route, or ""."""
    return (
        session.exec(
            select(AlertRow.message_id)
            .where(
                col(AlertRow.incident) == thread,
                col(AlertRow.route_id) == route_id,
                col(AlertRow.sent_at).is_not(None),
            )
            .order_by(col(AlertRow.id))
        ).first()
        or ""
    )


def dead_letters(session: Session, *, since: datetime) -> list[AlertRow]:
    """The alerts given up after *since*, oldest first; not those that had nothing to tell."""
    return list(
        session.exec(
            select(AlertRow)
            .where(
                col(AlertRow.sent_at).is_(None),  # the index begins with it
                col(AlertRow.dead_at) > since,
                col(AlertRow.error).not_in(WITHDRAWN),
            )
            .order_by(col(AlertRow.id))
        ).all()
    )


def _line(row: AlertRow, provider: str | None, feature: str | None, now: datetime) -> Line:
    is_seen = row.started_at is not None or row.sent_at is not None or row.attempts > 0
    hit = row.body.get("hit")
    return Line(
        alert_id=saved(row.id),
        event_id=saved(row.event_id),
        topic=row.topic,
        cause=row.cause or Cause.INSUFFICIENT,
        provider=provider,
        feature=feature,
        hit=hit if isinstance(hit, int) else 0,
        is_before=bool(row.body.get("before")),
        is_end=row.state is State.CLOSED,
        is_reached=row.started_at is not None,
        is_lost=row.dead_at is not None and row.started_at is None,
        is_held=not is_seen and row.dead_at is None and row.due_at > now,
        at=row.sent_at or row.started_at,
    )


def _values(message_id: str, owing: Owing, now: datetime) -> dict[str, Any]:
    event = owing.event
    return {
        "about": owing.about,
        "incident": owing.thread,
        "topic": owing.topic,
        "state": event.state if event else None,
        "cause": event.cause if event else None,
        "event_id": event.id if event else None,
        "severity": owing.severity,
        "body": dict(owing.body),
        "arrival": Arrival.UNASKED,
        "route_id": owing.route_id,
        "message_id": message_id,
        "subject": "",
        "attempts": 0,
        "error": "",
        "created_at": now,
        "due_at": owing.due_at or now,
    }


def _change_unseen(session: Session, alert_id: int, values: Mapping[str, Any]) -> bool:
    changed = session.execute(
        update(AlertRow)
        .where(
            col(AlertRow.id) == alert_id,
            col(AlertRow.attempts) == 0,
            col(AlertRow.started_at).is_(None),
            col(AlertRow.dead_at).is_(None),
        )
        .values(**values)
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined]


def _among(session: Session, column: Any, values: Iterable[object]) -> Iterable[str]:  # noqa: ANN401 - a column
    return session.exec(select(column).where(column.in_(list(values)))).all()
