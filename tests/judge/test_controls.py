"""Mail that was looked at at one provider before any other."""

from dataclasses import replace

from monitor.core.incidents import Cause, State
from monitor.core.placements import Placement
from tests.judge.worlds import Trouble, World, at, judged

FIRST = "gmail"


def test_the_provider_that_is_looked_at_first_is_not_blamed_for_a_blind_monitor() -> None:
    blind = Trouble(lambda _: True, Placement.MISSING, at(10), at(16))
    seen = World(troubles=[blind], looks=(at(0.1),)).observations(at(18))
    others_later = [s if s.provider == FIRST else replace(s, at=s.at + at(0.4)) for s in seen]
    others_later.sort(key=lambda s: (s.at, s.id))

    told = [event for event in judged(others_later) if event.at >= others_later[0].at + at(12)]

    assert {e.cause for e in told if e.state is State.CONFIRMED} <= {Cause.MONITOR}
