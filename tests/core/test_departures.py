"""When each copy of a test leaves."""

import random
from datetime import timedelta
from itertools import pairwise

import pytest

from monitor.core.departures import AT_ONCE, FREE_COPIES, Departure, leaving_times

NOTHING = timedelta(0)


def leaving(providers: list[str], departure: Departure) -> list[timedelta]:
    return leaving_times(providers, departure, random.Random(7))


def test_without_a_wish_all_leave_at_once_and_nothing_is_drawn() -> None:
    rng = random.Random(1)
    before = rng.getstate()
    assert leaving_times(["gmail"] * 500, AT_ONCE, rng) == [NOTHING] * 500
    assert rng.getstate() == before


def test_a_handful_for_each_provider_is_no_burst() -> None:
    providers = ["gmail", "gmx", "yahoo"] * FREE_COPIES
    assert set(leaving(providers, Departure(copies_per_minute=1))) == {NOTHING}


@pytest.mark.parametrize("over", [NOTHING, timedelta(minutes=3)])
def test_a_provider_never_gets_more_than_its_rate_after_the_first_twenty(over: timedelta) -> None:
    times = leaving(["gmail"] * 500 + ["gmx"] * 5, Departure(over=over, copies_per_minute=60))
    of_gmail = sorted(times[:500])
    for number, moment in enumerate(of_gmail):
        assert moment >= timedelta(seconds=max(0, number + 1 - FREE_COPIES))
    assert of_gmail[-1] == timedelta(seconds=480)
    assert max(times[500:]) <= over


def test_copies_are_spread_evenly_over_the_whole_span() -> None:
    span = timedelta(minutes=30)
    times = leaving([f"p{n % 20}" for n in range(300)], Departure(over=span))
    in_each_tenth = [
        sum(span * n / 10 <= t < span * (n + 1) / 10 for t in times) for n in range(10)
    ]
    assert in_each_tenth == [30] * 10
    assert len(set(times)) == 300


def test_neighbours_in_the_list_are_not_neighbours_in_time() -> None:
    times = leaving(["gmail"] * 200, Departure(over=timedelta(hours=1)))
    order = sorted(range(200), key=times.__getitem__)
    assert sum(abs(a - b) == 1 for a, b in pairwise(order)) < 10
