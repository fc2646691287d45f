"""Alerts that are owed: one row per incident, state, cause and route."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, or_, select

from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.tables import SenderRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow


def routes(session: Session, senders: Sequence[str]) -> list[RouteRow]:
    """Return the routes of *senders* (keys) and those of their whole organisations."""
    of_senders = session.exec(
        select(SenderRow.id, SenderRow.organisation_id).where(col(SenderRow.key).in_(list(senders)))
    ).all()
    return list(
        session.exec(
            select(RouteRow)
            .where(
                or_(
                    col(RouteRow.sender_id).in_([sender for sender, _ in of_senders]),
                    col(RouteRow.sender_id).is_(None)
                    & col(RouteRow.organisation_id).in_([org for _, org in of_senders]),
                )
            )
            .order_by(col(RouteRow.id))
        ).all()
    )


def owe(
    session: Session, event: IncidentEventRow, route: RouteRow, *, message_id: str, now: datetime
) -> AlertRow | None:
    """Owe one alert; None if this route was told of this state before."""
    topic = f"{event.state}/{event.cause}"
    known = session.exec(
        select(AlertRow).where(
            col(AlertRow.incident) == event.incident,
            col(AlertRow.topic) == topic,
            col(AlertRow.route_id) == route.id,
        )
    ).first()
    if known is not None:
        return None
    row = AlertRow(
        incident=event.incident,
        topic=topic,
        state=event.state,
        cause=event.cause,
        event_id=saved(event.id),
        route_id=saved(route.id),
        message_id=message_id,
        created_at=now,
        due_at=now,
    )
    session.add(row)
    session.flush()
    return row


def first_message_id(session: Session, incident: str, route_id: int) -> str:
    """The Message-ID of the first alert about an incident to a route, or ""."""
    return (
        session.exec(
            select(AlertRow.message_id)
            .where(
                col(AlertRow.incident) == incident,
                col(AlertRow.route_id) == route_id,
                col(AlertRow.sent_at).is_not(None),
            )
            .order_by(col(AlertRow.id))
        ).first()
        or ""
    )


def told_routes(session: Session, incident: str) -> list[RouteRow]:
    """The routes that any alert about this incident has reached, for all that we know."""
    told = select(AlertRow.route_id).where(
        col(AlertRow.incident) == incident,
        # One that was refused is not started any more; one in doubt is.
        col(AlertRow.started_at).is_not(None),
    )
    rows = select(RouteRow).where(col(RouteRow.id).in_(told)).order_by(col(RouteRow.id))
    return list(session.exec(rows).all())
