"""Incident events as rows; an incident is the fold of its events."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from monitor.core.incidents import (
    Cause,
    Direction,
    Evidence,
    Incident,
    IncidentEvent,
    Reading,
    State,
    Tally,
    fold,
)
from monitor.store.verdict_tables import IncidentEventRow

_OWN_COLUMNS = {"incident", "at", "state", "cause", "provider", "feature", "sender", "sentence"}
_TIMES = ("start", "start_low", "start_high", "until")


def append(session: Session, event: IncidentEvent) -> IncidentEventRow:
    """Add *event* to the story of its incident; the caller commits."""
    newest = session.exec(
        select(func.max(IncidentEventRow.seq)).where(
            col(IncidentEventRow.incident) == event.incident
        )
    ).one()
    row = IncidentEventRow(
        incident=event.incident,
        seq=(newest or 0) + 1,
        at=event.at,
        state=event.state,
        cause=event.cause,
        provider=event.provider,
        feature=event.feature,
        sender=event.sender,
        sentence=event.sentence,
        body=_body(event),
    )
    session.add(row)
    session.flush()
    return row


def one(session: Session, incident: str) -> tuple[Incident, list[IncidentEvent]] | None:
    """Return an incident with its events, oldest first; None if there is no such one."""
    rows = session.exec(
        select(IncidentEventRow)
        .where(col(IncidentEventRow.incident) == incident)
        .order_by(col(IncidentEventRow.seq))
    ).all()
    events = [decode(row) for row in rows]
    return (fold(events), events) if events else None


def all_incidents(session: Session) -> list[Incident]:
    """Return every incident, the one opened last first."""
    rows = session.exec(
        select(IncidentEventRow).order_by(col(IncidentEventRow.incident), col(IncidentEventRow.seq))
    ).all()
    stories = (
        fold(decode(row) for row in story) for _, story in groupby(rows, lambda r: r.incident)
    )
    return sorted(stories, key=lambda i: (i.opened_at, i.id), reverse=True)


def is_any_open(session: Session) -> bool:
    """Has any incident not been closed yet?"""
    rows = _newest(col(IncidentEventRow.id)).where(col(IncidentEventRow.state) != State.CLOSED)
    return session.exec(rows.limit(1)).first() is not None


def confirmed(session: Session) -> list[IncidentEventRow]:
    """Return the newest event of each incident that stands confirmed."""
    rows = _newest(IncidentEventRow).where(col(IncidentEventRow.state) == State.CONFIRMED)
    return list(session.exec(rows.order_by(col(IncidentEventRow.id))).all())


def is_over(session: Session, incident: str) -> bool:
    """Is an incident closed? One that nobody knows is not."""
    states = select(IncidentEventRow.state).where(col(IncidentEventRow.incident) == incident)
    return session.exec(states.order_by(col(IncidentEventRow.seq).desc())).first() is State.CLOSED


def _newest(what: Any) -> Any:  # noqa: ANN401 - SQLModel tells one column from a row by overloads
    newest = (
        select(IncidentEventRow.incident, func.max(IncidentEventRow.seq).label("seq"))
        .group_by(IncidentEventRow.incident)
        .subquery()
    )
    is_newest = (col(IncidentEventRow.incident) == newest.c.incident) & (
        col(IncidentEventRow.seq) == newest.c.seq
    )
    return select(what).join(newest, is_newest)


def decode(row: IncidentEventRow) -> IncidentEvent:
    """Return the event that *row* holds."""
    body = row.body
    return IncidentEvent(
        at=row.at,
        incident=row.incident,
        state=row.state,
        cause=row.cause,
        provider=row.provider,
        feature=row.feature,
        sender=row.sender,
        sentence=row.sentence,
        start=_moment(body["start"]),
        start_low=_moment(body["start_low"]),
        start_high=_moment(body["start_high"]),
        posterior={Cause(cause): share for cause, share in body["posterior"].items()},
        reason=body["reason"],
        esp=body["esp"],
        seed=body["seed"],
        direction=Direction(body["direction"]),
        hit=tuple(body["hit"]),
        spared=tuple(body["spared"]),
        tests=tuple(body["tests"]),
        evidence=_evidence(body["evidence"]),
        gauge=body.get("gauge"),  # rows of before these were known have none
        until=_moment(body["until"]) if body.get("until") else None,
        part_of=body.get("part_of"),
    )


def _body(event: IncidentEvent) -> dict[str, Any]:
    body = {k: v for k, v in asdict(event).items() if k not in _OWN_COLUMNS}
    for name in _TIMES:
        at = getattr(event, name)
        body[name] = at.astimezone(UTC).isoformat() if at else None
    body["posterior"] = {str(cause): share for cause, share in event.posterior.items()}
    return body


def _evidence(body: Mapping[str, Any]) -> Evidence:
    return Evidence(
        hit=_tallies(body["hit"]),
        spared=_tallies(body["spared"]),
        controls=_tallies(body["controls"]),
        placements=dict(body["placements"]),
        readings=tuple(Reading(**row) for row in body.get("readings", ())),
    )


def _tallies(rows: Iterable[Mapping[str, Any]]) -> tuple[Tally, ...]:
    return tuple(Tally(**row) for row in rows)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
