"""The judge is fed once, in order, and restarts exactly."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from monitor.core.errors import AgainLaterError
from monitor.core.incidents import IncidentEvent, State
from monitor.core.observations import Observation
from monitor.steps.judge import Bench, judge
from monitor.store import incidents, observations
from monitor.store.verdict_tables import IncidentEventRow, JudgeStateRow, ObservationRow
from monitor.store.work_tables import JobRow
from tests.steps.stories import event
from tests.steps.world import World


class Counting:
    """A judge that suspects at its third observation and confirms at its fifth."""

    def __init__(self, snapshot: Mapping[str, Any] | None = None) -> None:
        self.seen: list[str] = list(snapshot["seen"]) if snapshot else []

    def observe(self, seen: Observation) -> list[IncidentEvent]:
        self.seen.append(seen.id)
        state = {3: State.SUSPECTED, 5: State.CONFIRMED}.get(len(self.seen))
        return [event(seen.at, state=state)] if state else []

    def tick(self, now: datetime) -> list[IncidentEvent]:
        self.seen.append(f"{now:%H:%M}")
        return []

    def snapshot(self) -> dict[str, Any]:
        return {"seen": self.seen}


def bench() -> Bench:
    return Bench(Counting)  # type: ignore[arg-type]


def put_observations(world: World, count: int) -> None:
    test = world.new_test(f"until {count}")
    known = len(world.session.exec(select(ObservationRow)).all())
    for number in range(known, known + count):
        world.session.add(
            ObservationRow(
                key=f"o{number}",
                test_id=test.id or 0,
                provider="gmail",
                look=0,
                at=world.clock.now(),
                body={
                    "test": "t",
                    "sender": "s",
                    "sent_at": world.clock.now().isoformat(),
                    "features": [],
                    "placements": {},
                    "regions": {},
                },
            )
        )
    world.session.commit()


def states(session: Session) -> list[State]:
    return [
        row.state for row in session.exec(select(IncidentEventRow).order_by(IncidentEventRow.id))
    ]  # type: ignore[arg-type]


def test_every_observation_is_judged_once(world: World, session: Session) -> None:
    same = bench()
    put_observations(world, 4)
    judge(session, same, world.clock)
    judge(session, same, world.clock)
    put_observations(world, 4)
    judge(session, same, world.clock)
    assert states(session) == [State.SUSPECTED, State.CONFIRMED]
    assert isinstance(same.judge, Counting)
    assert same.judge.seen == [f"o{n}" for n in range(8)]


def test_a_restarted_judge_goes_on_where_it_was_and_repeats_no_event(
    world: World, session: Session
) -> None:
    put_observations(world, 4)
    judge(session, bench(), world.clock)
    put_observations(world, 4)
    restarted = bench()
    judge(session, restarted, world.clock)
    assert states(session) == [State.SUSPECTED, State.CONFIRMED]
    assert isinstance(restarted.judge, Counting)
    assert restarted.judge.seen == [f"o{n}" for n in range(8)]


def test_time_that_passed_is_replayed_where_it_was_told(world: World, session: Session) -> None:
    put_observations(world, 2)
    observations.pass_time(session, now=world.clock.now())
    judge(session, bench(), world.clock)
    put_observations(world, 1)
    restarted = bench()
    judge(session, restarted, world.clock)
    assert isinstance(restarted.judge, Counting)
    assert restarted.judge.seen == ["o0", "o1", f"{world.clock.now():%H:%M}", "o3"]


def test_a_snapshot_stands_in_for_the_observations_before_it(
    world: World, session: Session
) -> None:
    put_observations(world, 600)
    judge(session, bench(), world.clock)
    state = session.get_one(JudgeStateRow, "all")
    assert state.observation_id == state.judged_id
    assert len(state.body["seen"]) == 600


def test_two_processes_do_not_judge_the_same_observation(engine: Engine, world: World) -> None:
    put_observations(world, 5)
    with Session(engine) as one, Session(engine) as other:
        mine = other.get(JudgeStateRow, "all")
        judge(one, bench(), world.clock)
        late = bench()
        if mine is None:
            judge(other, late, world.clock)
        assert states(one) == [State.SUSPECTED, State.CONFIRMED]


def test_a_judge_that_was_overtaken_looks_again(engine: Engine, world: World) -> None:
    put_observations(world, 1)
    with Session(engine) as first:
        judge(first, bench(), world.clock)
    put_observations(world, 5)

    class Slow(Counting):
        def observe(self, seen: Observation) -> list[IncidentEvent]:
            if len(self.seen) == 1:  # meanwhile the other one judges everything
                with Session(engine) as other:
                    judge(other, bench(), world.clock)
            return super().observe(seen)

    with Session(engine) as second, pytest.raises(AgainLaterError):
        judge(second, Bench(Slow), world.clock)  # type: ignore[arg-type]
    with Session(engine) as check:
        assert states(check) == [State.SUSPECTED, State.CONFIRMED]


def test_people_are_told_how_a_turn_leaves_an_incident_not_each_step_on_the_way(
    world: World, session: Session
) -> None:
    put_observations(world, 5)
    judge(session, bench(), world.clock)
    (owed,) = session.exec(select(JobRow).where(JobRow.kind == "warn")).all()
    assert session.get_one(IncidentEventRow, owed.args["event"]).state is State.CONFIRMED


def test_an_event_comes_back_from_its_row_as_it_was(world: World, session: Session) -> None:
    told = event(world.clock.now())
    incidents.append(session, told)
    session.commit()
    found = incidents.one(session, "inc-1")
    assert found is not None
    assert found[1] == [told]
