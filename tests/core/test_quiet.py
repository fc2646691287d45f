"""Quiet hours by the wall clock of a route, and how long failures are waited for."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.errors import BadInputError
from monitor.core.patience import pause, rest
from monitor.core.quiet import held_until, quiet_hours
from monitor.steps.tell import ATTEMPTS


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-03-02 20:59", None),  # 21:59 in Berlin
        ("2026-03-02 21:00", "2026-03-03 06:00"),
        ("2026-03-03 05:59", "2026-03-03 06:00"),
        ("2026-03-03 06:00", None),
        ("2026-03-28 23:30", "2026-03-29 05:00"),  # the clocks are put forward that night
        ("2026-10-24 23:30", "2026-10-25 06:00"),  # and back that one
    ],
)
def test_a_night_in_berlin_ends_at_seven_there(now: str, end: str | None) -> None:
    held = held_until(at(now), timezone="Europe/Berlin", start="22:00", end="07:00")
    assert held == (at(end) if end else None)


def test_a_quiet_that_ends_on_the_same_day() -> None:
    noon = quiet_hours("UTC", "12:00", "13:00")
    assert noon is not None
    assert noon.end_after(at("2026-03-02 12:30")) == at("2026-03-02 13:00")
    assert noon.end_after(at("2026-03-02 13:00")) is None


@pytest.mark.parametrize(
    ("zone", "start", "end", "field"),
    [
        ("Mars/Phobos", "", "", "timezone"),
        ("../etc/passwd", "", "", "timezone"),
        ("", "", "", "timezone"),
        ("UTC", "25:00", "07:00", "quiet_from"),
        ("UTC", "22:00", "", "quiet_to"),
        ("UTC", "22:00:00", "07:00", "quiet_from"),
    ],
)
def test_what_is_no_zone_or_no_time_is_refused(zone: str, start: str, end: str, field: str) -> None:
    with pytest.raises(BadInputError) as refused:
        quiet_hours(zone, start, end)
    assert refused.value.field == field
    assert held_until(at("2026-03-02 23:00"), timezone=zone, start=start, end=end) is None


def test_pauses_double_up_to_an_hour_and_differ() -> None:
    rng = random.Random(7)
    pauses = [pause(attempt, rng) for attempt in range(1, 30)]
    assert timedelta(seconds=15) <= pauses[0] <= timedelta(seconds=30)
    assert timedelta(minutes=30) <= pauses[-1] <= timedelta(hours=1)
    assert len(set(pauses)) == len(pauses)


def test_an_alert_is_tried_for_about_a_day() -> None:
    rng = random.Random(7)
    waits = [max(pause(n, rng), rest(n) or timedelta()) for n in range(1, ATTEMPTS)]
    assert timedelta(hours=22) < sum(waits, timedelta()) < timedelta(hours=36)


def test_a_route_rests_after_five_failures_in_a_row_and_longer_each_time() -> None:
    assert rest(4) is None
    minutes = [span.total_seconds() / 60 for n in range(5, 11) if (span := rest(n))]
    assert minutes == [5, 10, 20, 40, 60, 60]
