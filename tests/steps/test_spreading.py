"""Copies that are spread over time go out at their times, once each, whatever happens."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from monitor.core.campaigns import Handover, Letter, Outcome
from monitor.core.departures import Departure
from monitor.core.errors import AgainLaterError, TransportRefusedError
from monitor.core.observations import JUDGED
from monitor.core.placements import Placement
from monitor.core.ports import Transport
from monitor.core.seeds import SeedEntry
from monitor.steps.send import BACK_OFF, TOGETHER, Outside, lane_of, send
from monitor.store import buckets, seeds
from monitor.store.columns import saved
from monitor.store.tables import CopyRow, HandoverRow, OrganisationRow, SightingRow, TestRow
from monitor.store.work_tables import JobRow, JobState
from tests.steps.test_send import Scripted, plainly
from tests.steps.world import PROVIDER, World


class Postbox(Scripted):
    """A transport that takes everything, by its own clock, and counts its calls."""

    def __init__(self, world: World, *answers: Outcome) -> None:
        super().__init__(*answers)
        self.world = world
        self.at: list[datetime] = []
        self.calls = 0

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        self.calls += 1
        for handover in super().send(letters):
            self.at.append(self.world.clock.now())
            yield handover


def step(
    session: Session, world: World, test: TestRow, transport: Transport, *, attempt: int = 1
) -> None:
    outside = Outside(lambda _name: transport, plainly)
    send(
        session,
        test_id=saved(test.id),
        provider=PROVIDER,
        attempt=attempt,
        outside=outside,
        clock=world.clock,
    )
    session.commit()


def next_time(session: Session) -> datetime | None:
    """When sending is due next; what was due until now has been done."""
    due = select(JobRow).where(JobRow.kind == "send", JobRow.state == JobState.DUE)
    moments = [job.due_at for job in session.exec(due).all()]
    session.rollback()
    return min(moments, default=None)


def live(session: Session, world: World, test: TestRow, transport: Transport) -> int:
    """Do the sending, each part at its time; return how many parts there were."""
    parts = 0
    while (moment := next_time(session)) is not None:
        world.clock.set(max(moment, world.clock.now()))
        for job in session.exec(select(JobRow).where(JobRow.kind == "send")).all():
            job.state = JobState.DONE if job.due_at <= moment else job.state
        step(session, world, test, transport)
        parts += 1
        assert parts < 500
    return parts


@pytest.fixture
def forty(world: World, session: Session) -> World:
    """A list of forty seeds at one provider."""
    owner = session.exec(select(OrganisationRow)).one()
    made = seeds.import_list(
        session,
        [SeedEntry(f"s{n}@mail.example", PROVIDER) for n in range(40)],
        organisation_id=saved(owner.id),
        name="large",
        vault=world.vault,
        now=world.clock.now(),
    )
    session.commit()
    world.seed_list_id = saved(made.id)
    return world


def test_after_the_first_twenty_a_provider_gets_its_copies_at_its_rate(
    forty: World, session: Session
) -> None:
    begun = forty.clock.now()
    test = forty.new_test(departure=Departure(copies_per_minute=60))
    postbox = Postbox(forty)
    live(session, forty, test, postbox)
    assert sorted(postbox.taken) == sorted(copy.message_id for copy in forty.copies(test))
    for number, moment in enumerate(sorted(postbox.at), start=1):
        assert moment - begun >= timedelta(seconds=max(0, number - 20))
    assert postbox.at[-1] - begun <= timedelta(seconds=20) + TOGETHER
    assert postbox.calls <= 4  # those that leave close together share a connection


def test_after_a_pause_late_copies_do_not_leave_all_at_once(forty: World, session: Session) -> None:
    test = forty.new_test(departure=Departure(copies_per_minute=60))
    postbox = Postbox(forty)
    forty.later(hours=5)
    resumed = forty.clock.now()
    live(session, forty, test, postbox)
    assert len(set(postbox.taken)) == len(postbox.taken) == 40
    for number, moment in enumerate(postbox.at, start=1):
        assert moment - resumed >= timedelta(seconds=number - 20) - TOGETHER
    assert postbox.at[-1] - resumed <= timedelta(seconds=20) + TOGETHER


def test_a_spread_test_is_judged_after_its_last_copy(forty: World, session: Session) -> None:
    test = forty.new_test(departure=Departure(over=timedelta(hours=2)))
    observe, end = (
        session.exec(select(JobRow).where(JobRow.kind == kind)).one() for kind in ("observe", "end")
    )
    last = max(copy.send_after for copy in forty.copies(test) if copy.send_after)
    assert last - test.send_at > timedelta(minutes=105)
    assert observe.due_at == last + JUDGED[0]
    assert end.due_at > last + timedelta(hours=72)


def test_a_deferred_copy_waits_its_turn_while_others_go_out(forty: World, session: Session) -> None:
    test = forty.new_test(departure=Departure(over=timedelta(minutes=10)))
    postbox = Postbox(forty, Outcome.DEFERRED)
    live(session, forty, test, postbox)
    first = postbox.taken[0]
    times = [
        moment for copy, moment in zip(postbox.taken, postbox.at, strict=True) if copy == first
    ]
    assert len(times) == 2
    assert BACK_OFF[0] <= times[1] - times[0] <= BACK_OFF[0] + timedelta(minutes=1)
    assert len(postbox.taken) == 41


def test_however_late_looks_are_each_copy_asks_for_one(forty: World, session: Session) -> None:
    test = forty.new_test(departure=Departure(over=timedelta(minutes=20)))
    assert live(session, forty, test, Postbox(forty)) > 20
    looks = session.exec(select(JobRow).where(JobRow.kind == "look")).all()
    assert sorted(job.args["seed"] for job in looks) == sorted(
        copy.seed_id for copy in forty.copies(test)
    )


def test_a_transports_rate_holds_over_all_tests(forty: World, session: Session) -> None:
    now = forty.clock.now()
    buckets.set_rate(session, lane_of("bulk"), rate_per_s=0.5, burst=5, now=now)
    test = forty.new_test(departure=Departure(transport="bulk"))
    postbox = Postbox(forty)
    live(session, forty, test, postbox)
    assert len(set(postbox.taken)) == len(postbox.taken) == 40
    for number, moment in enumerate(postbox.at, start=1):
        assert (moment - now).total_seconds() >= (number - 5) / 0.5 - 1e-3


class Windows(Postbox):
    """A transport that has ten letters on their way at once; killed where it is told to be."""

    window = 10

    def __init__(self, world: World, *, dies_at: int = -1) -> None:
        super().__init__(world)
        self.dies_at = dies_at

    def send_many(self, letters: Sequence[Letter], *, window: int) -> Iterator[Handover]:
        for start in range(0, len(letters), window):
            mine = letters[start : start + window]
            self.taken += [letter.message_id for letter in mine]
            for place, letter in enumerate(mine, start):
                if place == self.dies_at:
                    raise KeyboardInterrupt
                yield Handover(letter.message_id, Outcome.ACCEPTED)


@pytest.mark.parametrize("dies_at", [0, 17, 39])
def test_a_crash_leaves_at_most_one_window_in_doubt_and_sends_nothing_twice(
    forty: World, session: Session, dies_at: int
) -> None:
    test = forty.new_test()
    crashed, restarted = Windows(forty, dies_at=dies_at), Windows(forty)
    with pytest.raises(KeyboardInterrupt):
        step(session, forty, test, crashed)
    session.rollback()
    step(session, forty, test, restarted)
    assert sorted(crashed.taken + restarted.taken) == sorted(
        copy.message_id for copy in forty.copies(test)
    )
    outcomes = session.exec(select(HandoverRow.outcome)).all()
    assert outcomes.count(Outcome.UNCERTAIN) <= 10
    assert len(outcomes) == 40
    assert None not in outcomes


class RefusesLate(Scripted):
    """A transport that is refused when the first letter is to go."""

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        if letters:
            raise TransportRefusedError("the key was withdrawn.")
        yield


def test_copies_of_a_service_that_refuses_us_late_are_not_in_doubt(
    world: World, session: Session
) -> None:
    test = world.new_test()
    with pytest.raises(AgainLaterError, match="the key was withdrawn"):
        step(session, world, test, RefusesLate())
    assert session.exec(select(HandoverRow.outcome)).all() == [Outcome.FAILED]
    world.later(minutes=3)
    again = Scripted()
    step(session, world, test, again)
    assert len(again.taken) == 3


def test_copies_of_a_service_that_refuses_us_late_for_a_day_are_unknown_with_the_reason(
    world: World, session: Session
) -> None:
    test = world.new_test()
    for wait in BACK_OFF:
        with pytest.raises(AgainLaterError):
            step(session, world, test, RefusesLate())
        world.clock.sleep(wait)
    step(session, world, test, RefusesLate(), attempt=len(BACK_OFF) + 1)
    rows = session.exec(select(SightingRow)).all()
    assert len({row.copy_id for row in rows}) == len(rows) == 3
    assert {row.placement for row in rows} == {Placement.UNKNOWN}
    assert all("the key was withdrawn" in row.reason for row in rows)


def test_a_transport_that_is_not_there_any_more_leaves_copies_unknown_after_a_day(
    world: World, session: Session
) -> None:
    test = world.new_test(departure=Departure(transport="gone"))

    def nothing(name: str) -> Transport:
        raise TransportRefusedError(f"transport {name!r} is not in the configuration.")

    def go(attempt: int) -> None:
        outside = Outside(nothing, plainly)
        send(
            session,
            test_id=saved(test.id),
            provider=PROVIDER,
            attempt=attempt,
            outside=outside,
            clock=world.clock,
        )
        session.commit()

    for attempt, wait in enumerate(BACK_OFF, start=1):
        with pytest.raises(AgainLaterError) as again:
            go(attempt)
        assert again.value.retry_after == wait
    go(len(BACK_OFF) + 1)
    rows = session.exec(select(SightingRow)).all()
    assert {row.placement for row in rows} == {Placement.UNKNOWN}
    assert {row.reason for row in rows} == {
        "not sent: transport 'gone' is not in the configuration."
    }


def test_the_id_that_a_service_gives_a_copy_is_kept(world: World, session: Session) -> None:
    class Renames(Scripted):
        def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
            for one in letters:
                yield Handover(one.message_id, Outcome.ACCEPTED, their_id=f"<x-{one.recipient}>")

    step(session, world, world.new_test(), Renames())
    kept = session.exec(
        select(HandoverRow.their_id).join(CopyRow, col(CopyRow.id) == HandoverRow.copy_id)
    ).all()
    assert kept == [f"<x-seed{n}@mail.example>" for n in (1, 2, 3)]
