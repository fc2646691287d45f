"""Work that comes back at its times."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from monitor.core.clock import ManualClock
from monitor.core.errors import BadInputError
from monitor.store.schedules import Plan, fire_due, next_slot, parse_spec, put_schedule
from monitor.store.tables import OrganisationRow
from monitor.store.work_tables import JobRow, ScheduleRow

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def organisation(session: Session) -> int:
    session.add(OrganisationRow(id=1, name="example"))
    session.flush()
    return 1


def fired(session: Session) -> list[datetime]:
    return [job.due_at for job in session.exec(select(JobRow).order_by("due_at"))]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("daily 09:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("daily 08:00", datetime(2026, 3, 3, 8, tzinfo=UTC)),
        ("daily 07:59", datetime(2026, 3, 3, 7, 59, tzinfo=UTC)),
        ("every 2h", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("every 30m", datetime(2026, 3, 2, 8, 30, tzinfo=UTC)),
        ("every 1d", datetime(2026, 3, 3, 8, tzinfo=UTC)),
    ],
)
def test_the_first_slot_comes_after_now(spec: str, expected: datetime) -> None:
    assert parse_spec(spec)(START, START) == expected


@pytest.mark.parametrize(
    "spec",
    ["", "daily", "daily 9:00", "daily 24:00", "daily 09:60", "every 0h", "every 2w", "every h",
     "Every 2h", "every 2h ", "every ٢h", "every 99999m", "cron * * * * *"],
)  # fmt: skip
def test_a_time_that_we_do_not_understand_is_refused(spec: str) -> None:
    with pytest.raises(BadInputError, match="not a time that we understand"):
        parse_spec(spec)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_is_refused(spec: str) -> None:
    try:
        assert parse_spec(spec)(START, START) > START
    except BadInputError as error:
        assert error.field == "schedule"  # noqa: PT017 - either is right


@given(st.integers(1, 9999), st.sampled_from("mhd"), st.integers(0, 10**8))
def test_a_period_keeps_its_beat_whatever_was_missed(n: int, unit: str, late_s: int) -> None:
    period = n * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[unit]
    now = START + timedelta(seconds=late_s)
    slot = parse_spec(f"every {n}{unit}")(START, now)
    assert now < slot <= now + period
    assert (slot - START) % period == timedelta()


def test_each_slot_puts_one_job(session: Session, organisation: int, clock: ManualClock) -> None:
    plan = Plan("start", "every 2h", {"campaign": 3})
    put_schedule(session, organisation, "heartbeat", plan, now=clock.now())
    counts = []
    for _ in range(5):
        clock.sleep(timedelta(hours=1))
        counts += [fire_due(session, clock.now()), fire_due(session, clock.now())]
    assert counts == [0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
    assert fired(session) == [START + timedelta(hours=2), START + timedelta(hours=4)]
    (job, _) = session.exec(select(JobRow)).all()
    assert (job.kind, job.args) == ("start", {"campaign": 3})


def test_after_a_long_pause_a_schedule_fires_once(
    session: Session, organisation: int, clock: ManualClock
) -> None:
    put_schedule(session, organisation, "h", Plan("start", "every 2h"), now=clock.now())
    clock.sleep(timedelta(hours=25))
    assert [fire_due(session, clock.now()), fire_due(session, clock.now())] == [1, 0]
    assert next_slot(session) == START + timedelta(hours=26)


def test_a_slot_that_was_fired_but_not_moved_is_not_fired_twice(
    session: Session, organisation: int, clock: ManualClock
) -> None:
    """As if a backup had been put back that knows the job but not the move."""
    schedule = put_schedule(session, organisation, "h", Plan("start", "every 2h"), now=clock.now())
    slot = schedule.next_at
    clock.sleep(timedelta(hours=2))
    fire_due(session, clock.now())
    session.expire_all()
    schedule.next_at = slot
    session.add(schedule)
    fire_due(session, clock.now())
    assert fired(session) == [slot]


def test_a_schedule_that_is_switched_off_is_silent(
    session: Session, organisation: int, clock: ManualClock
) -> None:
    schedule = put_schedule(session, organisation, "h", Plan("start", "every 2h"), now=clock.now())
    schedule.enabled = False
    session.add(schedule)
    clock.sleep(timedelta(hours=3))
    assert fire_due(session, clock.now()) == 0
    assert next_slot(session) is None


def test_a_schedule_that_somebody_broke_does_not_stop_the_others(
    session: Session, organisation: int, clock: ManualClock
) -> None:
    for name in ("broken", "whole"):
        put_schedule(session, organisation, name, Plan("start", "every 2h"), now=clock.now())
    broken = session.exec(select(ScheduleRow).where(ScheduleRow.name == "broken")).one()
    broken.spec = "every other day"
    session.add(broken)
    clock.sleep(timedelta(hours=2))
    assert fire_due(session, clock.now()) == 1
    assert not broken.enabled


def test_a_schedule_of_the_same_name_is_replaced(
    session: Session, organisation: int, clock: ManualClock
) -> None:
    for plan in (Plan("start", "every 2h"), Plan("listen", "daily 09:00", {"a": 1})):
        put_schedule(session, organisation, "h", plan, now=clock.now())
    (row,) = session.exec(select(ScheduleRow)).all()
    assert (row.kind, row.spec, row.args) == ("listen", "daily 09:00", {"a": 1})
    assert row.next_at == START + timedelta(hours=1)


def test_nonsense_is_refused_before_anything_is_written(
    session: Session, organisation: int, clock: ManualClock
) -> None:
    with pytest.raises(BadInputError):
        put_schedule(session, organisation, "h", Plan("start", "soon"), now=clock.now())
    assert session.exec(select(ScheduleRow)).all() == []
