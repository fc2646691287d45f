"""Tend: look after this installation, and tell its operator what is wrong with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from monitor.core.clock import Clock
from monitor.core.routes import About, Audience, Severity
from monitor.core.upkeep import Room, Trouble, disk_trouble
from monitor.store import alerts, concerned, upkeep
from monitor.store.alerts import Owing
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow, TroubleRow
from monitor.store.troubles import close_trouble, closed_since, open_trouble, open_troubles
from monitor.store.verdict_tables import AlertRow

# What is looked for here, by the first part of its key; what others open, they close.
OWN: Final = frozenset(
    {
        *("reader", "seed", "feed", "queue", "worker", "disk"),
        *("alerts", "route", "arrival", "domain"),
    }
)
DAY: Final = timedelta(days=1)
OPENED: Final = "opened"
CLOSED: Final = "closed"

Rooms = Mapping[str, Callable[[], Room]]


def tend(
    session: Session, *, rooms: Rooms, names: Mapping[str, str], alert_domain: str, clock: Clock
) -> None:
    """Open what is in trouble, close what is over, and owe the operator word of both.

    The caller commits. Only routes for operators are told, and they of nothing else.

    Args:
        rooms: what says how full the disk of each thing is ("database").
        names: provider ids to the names that people know.
    """
    now = clock.now()
    found = [*upkeep.troubles(session, names, now=now), *_full_disks(rooms)]
    for one in found:
        open_trouble(session, one.key, one.sentence, one.remedy, one.severity, now)
    _close_others(session, found, now)
    session.expire_all()  # these rows were written past the session
    alerts.owe_all(session, list(_owings(session, now)), domain=alert_domain, now=now)


def _full_disks(rooms: Rooms) -> Iterator[Trouble]:
    for name, look in rooms.items():
        try:
            trouble = disk_trouble(name, look())
        except OSError:
            continue  # a folder that is not there: the doctor says so
        if trouble is not None:
            yield trouble


def _close_others(session: Session, found: Sequence[Trouble], now: datetime) -> None:
    still = {one.key[:200] for one in found}
    for row in open_troubles(session):
        if row.key not in still and row.key.partition(":")[0] in OWN:
            close_trouble(session, row.key, now)


def _owings(session: Session, now: datetime) -> Iterator[Owing]:
    routes = _operators(session)
    if not routes:
        return
    for row in open_troubles(session):
        for route in routes:
            if row.severity.rank >= route.least.rank:
                yield _owing(row, route, OPENED, now)
                days = (now - row.opened_at) // DAY
                if days and route.remind_hours:
                    yield _owing(row, route, f"reminder/{days}", now)
    over = {_thread(row): row for row in closed_since(session, now - DAY)}
    by_id = {saved(route.id): route for route in routes}
    for thread, route_id in _told(session, list(over)):
        if route_id in by_id:
            yield _owing(over[thread], by_id[route_id], CLOSED, now)


def _operators(session: Session) -> list[RouteRow]:
    wanted = select(RouteRow).where(col(RouteRow.audience) == Audience.OPERATOR)
    found = session.exec(wanted.order_by(col(RouteRow.id))).all()
    return [route for route in found if alerts.is_open(route)]


def _told(session: Session, threads: Sequence[str]) -> Sequence[tuple[str, int]]:
    """Which routes were told, or will be, that these began."""
    return session.exec(
        select(AlertRow.incident, AlertRow.route_id).where(
            col(AlertRow.incident).in_(threads),
            col(AlertRow.about) == About.OPERATOR,
            col(AlertRow.topic) == OPENED,
            col(AlertRow.dead_at).is_(None),
        )
    ).all()


def _owing(row: TroubleRow, route: RouteRow, topic: str, now: datetime) -> Owing:
    severity = Severity.INFO if topic == CLOSED else row.severity
    return Owing(
        route_id=saved(route.id),
        about=About.OPERATOR,
        thread=_thread(row),
        topic=topic,
        severity=severity,
        body={
            "sentence": row.sentence,
            "remedy": row.remedy,
            "opened_at": row.opened_at.isoformat(),
            "closed_at": row.closed_at.isoformat() if row.closed_at else "",
        },
        due_at=concerned.due_at(route, severity, now=now),
    )


def _thread(row: TroubleRow) -> str:
    return f"trouble:{row.id}"
