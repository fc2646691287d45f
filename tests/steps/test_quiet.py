"""An incident that is over closes when no mail comes any more, however often we start again."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from monitor.core.incidents import IncidentEvent, State
from monitor.core.placements import Placement
from monitor.judge.cases import QUIET_H
from monitor.judge.judge import Judge
from monitor.steps.judge import Bench, hear, judge
from monitor.steps.pass_time import pass_time
from monitor.store import incidents, observations
from monitor.store.verdict_tables import IncidentEventRow, ObservationRow
from tests.steps.world import World

PROVIDERS = ("gmail", "gmx", "yahoo")
BLIND_TESTS, GOOD_TESTS = 2, 3  # enough for an incident, and for it to recover; not to close


def bench() -> Bench:
    return Bench(lambda saved: Judge.restore(saved) if saved else Judge())


def put_test(world: World, name: str, placement: Placement) -> None:
    """Write what a test of one copy at each provider looks like after half an hour."""
    test = world.new_test(name)
    now = world.clock.now()
    for provider in PROVIDERS:
        body = {
            "test": name,
            "sender": "news.example.org",
            "sent_at": (now - timedelta(minutes=32)).isoformat(),
            "features": [],
            "placements": {f"seed@{provider}.example": str(placement)},
            "regions": {},
        }
        row = ObservationRow(
            key=f"{name}:{provider}", test_id=test.id, provider=provider, look=0, at=now, body=body
        )
        world.session.add(row)
    world.session.commit()


def events(session: Session) -> list[IncidentEvent]:
    rows = session.exec(select(IncidentEventRow).order_by(col(IncidentEventRow.id)))
    return [incidents.decode(row) for row in rows]


def pass_hour(world: World, sitting: Bench) -> None:
    world.later(hours=1)
    pass_time(world.session, now=world.clock.now())
    world.session.commit()
    judge(world.session, sitting, world.clock)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_an_incident_that_is_over_closes_after_twelve_quiet_hours(
    world: World, session: Session, is_restarted: bool
) -> None:
    sitting = bench()
    for number in range(BLIND_TESTS + GOOD_TESTS):
        is_blind = number < BLIND_TESTS
        put_test(world, f"t{number}", Placement.UNKNOWN if is_blind else Placement.INBOX)
        judge(session, sitting, world.clock)
        world.later(minutes=20)
    assert events(session)[-1].state is State.RECOVERING
    for _ in range(int(QUIET_H) + 3):
        pass_hour(world, bench() if is_restarted else sitting)
    *_, last = events(session)
    assert last.state is State.CLOSED
    assert last.reason == "It has not come back for twelve hours."
    assert (
        timedelta(hours=QUIET_H) < last.at - events(session)[-2].at < timedelta(hours=QUIET_H + 2)
    )
    again = Judge()
    told = [one for _, one in observations.after(session, 0)]
    assert events(session) == [event for one in told for event in hear(again, one)]
    assert told[-1].at < world.clock.now()  # once it is closed, nobody counts the hours
