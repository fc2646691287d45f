"""The delivery log, and each route's circuit breaker. The caller commits."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from monitor.core.incidents import IncidentEvent
from monitor.core.patience import FAILURES_TO_REST, rest
from monitor.core.routes import Owed
from monitor.store import incidents
from monitor.store.columns import saved
from monitor.store.route_tables import AttemptRow, RouteRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow

TRIAL: Final = timedelta(minutes=1)  # how long one trial of a resting route may take
LONGEST_SAID: Final = 1000


class Outcome(StrEnum):
    """How an attempt ended, as the delivery log has it."""

    DELIVERED = "delivered"
    LATER = "later"  # it failed, and is tried again
    REFUSED = "refused"  # for good
    IN_DOUBT = "in doubt"
    CUT_OFF = "cut off"  # the program stopped; the same delivery is made again
    TOO_LATE = "too late"  # nothing was handed over


def begin(session: Session, row: AlertRow, *, now: datetime) -> int:
    """Write down that an attempt begins; return its id. The caller commits before it is made."""
    row.attempts += 1
    row.started_at = now
    attempt = AttemptRow(alert_id=saved(row.id), started_at=now)
    session.add_all([row, attempt])
    session.flush()
    return saved(attempt.id)


def end(session: Session, alert_id: int, outcome: Outcome, said: str, *, now: datetime) -> None:
    """Write down how the attempt under way ended, and what the other side said."""
    session.execute(
        update(AttemptRow)
        .where(col(AttemptRow.alert_id) == alert_id, col(AttemptRow.ended_at).is_(None))
        .values(ended_at=now, outcome=outcome, said=said[:LONGEST_SAID])
        .execution_options(synchronize_session=False)
    )


def attempts(session: Session, alert_id: int) -> list[AttemptRow]:
    """The attempts at one delivery, oldest first."""
    mine = select(AttemptRow).where(col(AttemptRow.alert_id) == alert_id)
    return list(session.exec(mine.order_by(col(AttemptRow.id))).all())


def rests_until(session: Session, route: RouteRow, *, now: datetime) -> datetime | None:
    """Return until when *route* is left alone; None if it may be told now.

    When its rest is over, one delivery is let through to try it; the others wait for that.
    """
    until = route.rests_until
    if until is None or until > now:
        return until
    mine = session.execute(
        update(RouteRow)
        .where(col(RouteRow.id) == route.id, col(RouteRow.rests_until) == until)
        .values(rests_until=now + TRIAL)
        .execution_options(synchronize_session=False)
    )
    return None if mine.rowcount else now + TRIAL  # type: ignore[attr-defined]


def went_well(session: Session, route: RouteRow) -> None:
    """*route* works: forget its failures."""
    if route.failures or route.rests_until:
        session.execute(
            update(RouteRow)
            .where(col(RouteRow.id) == route.id)
            .values(failures=0, rests_until=None)
            .execution_options(synchronize_session=False)
        )


def failed(session: Session, route: RouteRow, *, now: datetime) -> datetime | None:
    """Count a failure of *route*; return until when it rests, if it does now."""
    counted = session.execute(
        update(RouteRow)
        .where(col(RouteRow.id) == route.id)
        .values(failures=RouteRow.failures + 1)
        .returning(col(RouteRow.failures))
        .execution_options(synchronize_session=False)
    )
    span = rest(counted.scalar_one())
    if span is None:
        return None
    session.execute(
        update(RouteRow)
        .where(col(RouteRow.id) == route.id)
        .values(rests_until=now + span)
        .execution_options(synchronize_session=False)
    )
    return now + span


def suspend(session: Session, route: RouteRow, why: str, *, now: datetime) -> None:
    """Tell *route* nothing more until a person has looked at it."""
    route.suspended_at, route.suspended_why = now, why[:500]
    session.add(route)


def resting(session: Session, *, now: datetime) -> list[RouteRow]:
    """The routes that are left alone now, because they failed time after time."""
    found = select(RouteRow).where(
        col(RouteRow.failures) >= FAILURES_TO_REST, col(RouteRow.rests_until) > now
    )
    return list(session.exec(found.order_by(col(RouteRow.id))).all())


def owed(session: Session, row: AlertRow, route: RouteRow) -> Owed:
    """Return all that whoever writes this message is given."""
    event: IncidentEvent | None = None
    if row.event_id is not None:
        event = incidents.decode(session.get_one(IncidentEventRow, row.event_id))
    return Owed(
        alert_id=saved(row.id),
        about=row.about,
        thread=row.incident,
        topic=row.topic,
        severity=row.severity,
        to=route.address,
        route_id=saved(route.id),
        organisation_id=route.organisation_id,
        audience=route.audience,
        timezone=route.timezone,
        body=row.body,
        event=event,
    )
