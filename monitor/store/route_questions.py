"""What is owed to a route for its own sake: the question whether it is wanted, and a trial."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from monitor.core.routes import About, Severity
from monitor.store import alerts
from monitor.store.alerts import Owing
from monitor.store.columns import saved
from monitor.store.route_tables import AttemptRow, RouteRow
from monitor.store.verdict_tables import AlertRow

GRACE: Final = timedelta(minutes=2)  # then a worker does what a command was cut off at


def ask(
    session: Session, route: RouteRow, *, asked_by: str, domain: str, now: datetime
) -> AlertRow | None:
    """Owe the mail that asks whether *route* is wanted; once more each time.

    None if it needs none: it is confirmed, or no mail.

    Args:
        asked_by: in words, for whoever reads the question.
        domain: of our Message-IDs.
    """
    if route.kind != "email" or route.confirmed_at is not None:
        return None
    thread = f"confirm:{saved(route.id)}"
    topic = f"asked/{_count(session, thread) + 1}"
    owing = Owing(
        saved(route.id), About.CONFIRM, thread, topic, Severity.INFO, {"asked_by": asked_by}
    )
    return alerts.owe(session, owing, domain=domain, now=now)


def owe_trial(session: Session, route: RouteRow, *, domain: str, now: datetime) -> AlertRow:
    """Owe a trial that the caller delivers at once; a worker does, if it cannot.

    A resting route is tried too, because a person wants to know.
    """
    thread = f"trial:{saved(route.id)}"
    topic = f"trial/{_count(session, thread) + 1}"
    owing = Owing(
        saved(route.id), About.TRIAL, thread, topic, Severity.INFO, {}, due_at=now + GRACE
    )
    owed = alerts.owe(session, owing, domain=domain, now=now)
    if owed is None:
        raise ValueError(f"{topic} of {thread} is owed already")
    owed.due_at = now  # the job stays for later, and finds it done
    route.rests_until = None
    session.add_all([owed, route])
    session.flush()
    return owed


def end_trial(session: Session, owed: AlertRow, *, now: datetime) -> None:
    """Leave a trial that failed at that: its person has seen why, and tries again."""
    if owed.sent_at is None and owed.dead_at is None:
        owed.dead_at, owed.started_at = now, None
        session.add(owed)


def log(session: Session, route_id: int, *, limit: int) -> list[tuple[AlertRow, AttemptRow | None]]:
    """What a route was told, attempt by attempt, the newest first; None: not tried yet."""
    rows = session.exec(
        select(AlertRow, AttemptRow)
        .join(AttemptRow, col(AttemptRow.alert_id) == col(AlertRow.id), isouter=True)
        .where(col(AlertRow.route_id) == route_id)
        .order_by(col(AlertRow.id).desc(), col(AttemptRow.id).desc())
        .limit(limit)
    ).all()
    return [(alert, attempt) for alert, attempt in rows]


def _count(session: Session, thread: str) -> int:
    mine = select(func.count()).select_from(AlertRow).where(col(AlertRow.incident) == thread)
    return session.exec(mine).one()
