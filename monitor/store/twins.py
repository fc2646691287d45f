"""Twins of alerts: the same mail to our own seeds, to learn whether alerts arrive there.

None of these functions commits: the caller does.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from monitor.core.routes import About, Arrival
from monitor.store import jobs
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow, TwinRow
from monitor.store.rows import insert_once
from monitor.store.tables import SeedHealthRow, SeedRow
from monitor.store.verdict_tables import AlertRow

MOST: Final = 3  # twins of one alert
LOOKS: Final = tuple(timedelta(minutes=m) for m in (5, 15, 60))  # after a twin was due


def siblings(session: Session, alert: AlertRow, organisation_id: int) -> list[AlertRow]:
    """Return the alerts of one organisation that tell the same as *alert*, itself included."""
    same = (
        select(AlertRow)
        .join(RouteRow, col(RouteRow.id) == col(AlertRow.route_id))
        .where(
            col(AlertRow.about) == About.INCIDENT,
            col(AlertRow.incident) == alert.incident,
            col(AlertRow.topic) == alert.topic,
            col(RouteRow.organisation_id) == organisation_id,
        )
    )
    return list(session.exec(same.order_by(col(AlertRow.id))).all())


def seeds_at(session: Session, organisation_id: int, providers: Sequence[str]) -> list[SeedRow]:
    """Return a few of an organisation's own seeds there, those that can be read first."""
    failures = col(SeedHealthRow.failures)
    rows = (
        select(SeedRow)
        .outerjoin(SeedHealthRow, col(SeedHealthRow.seed_id) == col(SeedRow.id))
        .where(
            col(SeedRow.organisation_id) == organisation_id, col(SeedRow.provider).in_(providers)
        )
        .order_by(failures.is_not(None) & (failures > 0), col(SeedRow.id))
    )
    return list(session.exec(rows.limit(MOST)).all())


def make(
    session: Session, alert: AlertRow, seeds: Sequence[SeedRow], *, domain: str, now: datetime
) -> None:
    """Write a twin of *alert* for each of *seeds*, and put its sending and the looks for it."""
    alert_id = saved(alert.id)
    values = [
        {
            "alert_id": alert_id,
            "seed_id": seed.id,
            "message_id": f"<twin.{alert_id}.{seed.id}@{domain}>",
            "due_at": now,
            "error": "",
        }
        for seed in seeds
    ]
    insert_once(session, TwinRow, values)
    providers = {saved(seed.id): seed.provider for seed in seeds}
    for twin in of_alert(session, alert_id):
        _put(session, twin, providers.get(twin.seed_id, ""))


def of_alert(session: Session, alert_id: int) -> list[TwinRow]:
    """Return the twins of one alert."""
    mine = select(TwinRow).where(col(TwinRow.alert_id) == alert_id).order_by(col(TwinRow.id))
    return list(session.exec(mine).all())


def note_arrival(session: Session, alerts: Sequence[AlertRow], arrival: Arrival) -> None:
    """Write down what the twins tell, for each of *alerts* that waits for it."""
    session.execute(
        update(AlertRow)
        .where(
            col(AlertRow.id).in_([alert.id for alert in alerts]),
            col(AlertRow.arrival) != Arrival.UNASKED,
        )
        .values(arrival=arrival)
    )


def _put(session: Session, twin: TwinRow, provider: str) -> None:
    args = {"twin": twin.id}
    key = f"twin:{twin.id}"
    jobs.put(session, "twin", args, unique_key=key, due_at=twin.due_at, max_attempts=6)
    for rung, after in enumerate(LOOKS):
        jobs.put(
            session,
            "look_twin",
            {**args, "rung": rung},
            unique_key=f"look_{key}:{rung}",
            due_at=twin.due_at + after,
            lane=f"look:{provider}",
            max_attempts=3,
        )
