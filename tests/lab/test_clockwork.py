"""Due deeds are done in order, when somebody looks."""

from datetime import UTC, datetime, timedelta
from functools import partial

from monitor.lab.clockwork import Agenda

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_deeds_are_done_in_order_of_their_time_and_told_that_time() -> None:
    agenda = Agenda()
    done: list[tuple[str, datetime]] = []
    agenda.add(START + 2 * HOUR, lambda at: done.append(("late", at)))
    agenda.add(START + HOUR, lambda at: done.append(("early", at)))

    agenda.settle(START + 3 * HOUR)

    assert done == [("early", START + HOUR), ("late", START + 2 * HOUR)]


def test_what_is_not_due_waits() -> None:
    agenda = Agenda()
    done: list[datetime] = []
    agenda.add(START + HOUR, done.append)

    agenda.settle(START)

    assert (done, agenda.next_at()) == ([], START + HOUR)


def test_deeds_of_one_moment_keep_their_order() -> None:
    agenda = Agenda()
    done: list[int] = []
    for number in range(20):
        agenda.add(START, partial(lambda n, _: done.append(n), number))

    agenda.settle(START)

    assert done == list(range(20))


def test_a_deed_may_plan_another_that_is_already_due() -> None:
    agenda = Agenda()
    done: list[datetime] = []
    agenda.add(START, lambda at: agenda.add(at + HOUR, done.append))

    agenda.settle(START + 2 * HOUR)

    assert (done, agenda.next_at()) == ([START + HOUR], None)
