"""Work that comes back: at each of its slots a schedule puts one job."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from monitor.core.errors import BadInputError, NotFoundError
from monitor.store import jobs
from monitor.store.work_tables import ScheduleRow

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
_DAILY = re.compile(r"daily ([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_EVERY = re.compile(r"every ([1-9]\d{0,3})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": DAY}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a schedule does, and when: `spec` is "daily 09:00" (UTC), "every 2h", "every 30m"."""

    kind: str
    spec: str
    args: dict[str, Any] = field(default_factory=dict)


def put_schedule(
    session: Session, organisation_id: int, name: str, plan: Plan, *, now: datetime
) -> ScheduleRow:
    """Make the schedule *name*, or give the one that has this name a new plan.

    Its next slot is reckoned from *now*: "every 2h" begins one period from now.

    Raises:
        BadInputError: the plan's spec says nothing that we understand.
    """
    next_at = parse_spec(plan.spec)(now, now)
    schedule = _named(session, organisation_id, name)
    if schedule is None:
        schedule = ScheduleRow(
            organisation_id=organisation_id,
            name=name,
            kind=plan.kind,
            spec=plan.spec,
            next_at=next_at,
        )
    schedule.kind, schedule.spec, schedule.args = plan.kind, plan.spec, plan.args
    schedule.next_at, schedule.enabled = next_at, True
    session.add(schedule)
    session.flush()
    return schedule


def all_schedules(session: Session, organisation_id: int) -> list[ScheduleRow]:
    """Return the schedules of an organisation: what comes next first, what is stopped last."""
    mine = select(ScheduleRow).where(ScheduleRow.organisation_id == organisation_id)
    order = (col(ScheduleRow.enabled).desc(), col(ScheduleRow.next_at), col(ScheduleRow.name))
    return list(session.exec(mine.order_by(*order)).all())


def stop(session: Session, organisation_id: int, name: str) -> ScheduleRow:
    """Switch the schedule *name* off; doing so again is harmless.

    Raises:
        NotFoundError: the organisation has no such schedule.
    """
    schedule = _named(session, organisation_id, name)
    if schedule is None:
        raise NotFoundError(
            f"there is no schedule {name!r}.", remedy="seedwatch schedules list shows all."
        )
    schedule.enabled = False
    session.add(schedule)
    session.flush()
    return schedule


def parse_spec(spec: str) -> Callable[[datetime, datetime], datetime]:
    """Return the rule of *spec*: (a slot, now) -> the first slot after both.

    Raises:
        BadInputError: we do not understand it.
    """
    if daily := _DAILY.fullmatch(spec):
        at = time(int(daily[1]), int(daily[2]), tzinfo=UTC)
        return lambda _slot, now: _next_daily(at, now)
    if every := _EVERY.fullmatch(spec):
        period = int(every[1]) * _UNITS[every[2]]
        return lambda slot, now: slot + (max(now - slot, timedelta()) // period + 1) * period
    raise BadInputError(
        "schedule",
        spec,
        "is not a time that we understand",
        remedy='Write "daily 09:00" (UTC), "every 2h" or "every 30m".',
    )


def fire_due(session: Session, now: datetime) -> int:
    """Put one job for every schedule whose slot has come; return how many.

    Slots that were missed while nothing ran are made up for by one job, not by many. The
    job's key names schedule and slot, so that a slot is never fired twice.
    """
    due = select(ScheduleRow).where(col(ScheduleRow.enabled), col(ScheduleRow.next_at) <= now)
    fired = 0
    for schedule in session.exec(due.order_by(col(ScheduleRow.next_at))).all():
        slot = schedule.next_at
        try:
            next_at = parse_spec(schedule.spec)(slot, now)
        except BadInputError as error:  # somebody edited the row: the others must go on
            log.error("schedule %s is switched off: %s", schedule.name, error)
            schedule.enabled = False
            session.add(schedule)
            continue
        if not _move(session, schedule, next_at):
            continue  # another worker fired this slot
        key = f"schedule:{schedule.id}:{slot.isoformat()}"
        jobs.put(session, schedule.kind, schedule.args, unique_key=key, due_at=slot)
        fired += 1
    return fired


def next_slot(session: Session) -> datetime | None:
    """When the next schedule is due; None if there is none."""
    enabled = select(ScheduleRow.next_at).where(col(ScheduleRow.enabled))
    return session.exec(enabled.order_by(col(ScheduleRow.next_at)).limit(1)).one_or_none()


def _named(session: Session, organisation_id: int, name: str) -> ScheduleRow | None:
    return session.exec(
        select(ScheduleRow).where(
            ScheduleRow.organisation_id == organisation_id, ScheduleRow.name == name
        )
    ).one_or_none()


def _move(session: Session, schedule: ScheduleRow, next_at: datetime) -> bool:
    """Move *schedule* on, unless somebody else has done so."""
    statement = (
        update(ScheduleRow)
        .where(col(ScheduleRow.id) == schedule.id, col(ScheduleRow.next_at) == schedule.next_at)
        .values(next_at=next_at)
        .returning(col(ScheduleRow.id))
        .execution_options(synchronize_session=False)
    )
    return session.execute(statement).one_or_none() is not None


def _next_daily(at: time, now: datetime) -> datetime:
    today = datetime.combine(now.astimezone(UTC).date(), at)
    return today if today > now else today + DAY
