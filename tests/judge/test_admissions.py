"""Who admits trouble is believed sooner, for as long as that stands, and nobody else is."""

import json
from datetime import datetime, timedelta
from functools import cache

import pytest

from monitor.core.incidents import IncidentEvent, State
from monitor.core.observations import Admitted, Observation
from monitor.core.placements import Placement
from monitor.judge.judge import Judge
from tests.judge.worlds import START, Mail, Trouble, World, at, senders
from tests.providers import NAMES

ID = "EX1227432"
TROUBLE_H = 6


@cache
def weak_trouble() -> tuple[Observation, ...]:
    """A third of the mail at Yahoo goes to spam after a quarter of a day."""

    def at_yahoo(mail: Mail) -> bool:
        return mail.provider == "yahoo"

    trouble = Trouble(at_yahoo, Placement.SPAM, at(TROUBLE_H), share=0.35)
    world = World(
        senders=senders(6),
        troubles=[trouble],
        providers=("gmail", "yahoo", "icloud"),
        looks=(timedelta(minutes=32),),
        stray=0.02,
        seed=4,
    )
    return tuple(world.observations(at(16)))


def admission(hour: float, *, lasts: float = 24, provider: str = "yahoo") -> Admitted:
    return Admitted(START + at(hour), provider, ID, START + at(hour + lasts))


@cache
def tell(*heard: Admitted) -> list[IncidentEvent]:
    judge, waiting, events = Judge(names=NAMES), list(heard), []
    for seen in weak_trouble():
        while waiting and waiting[0].at <= seen.at:
            events += judge.hear(waiting.pop(0))
        events += judge.observe(seen)
    return events


def confirmed_at(events: list[IncidentEvent]) -> datetime:
    found = [e.at for e in events if e.state is State.CONFIRMED and e.provider == "yahoo"]
    return found[0] if found else START + at(1000)


def test_what_is_admitted_is_confirmed_sooner_and_says_so() -> None:
    alone, admitted = tell(), tell(admission(TROUBLE_H))

    assert confirmed_at(admitted) < confirmed_at(alone)
    first = next(e for e in admitted if e.state is State.CONFIRMED)
    assert first.sentence.endswith("Yahoo admits trouble (EX1227432).")
    assert first.reason.endswith("Yahoo admits trouble (EX1227432).")
    assert all("admits" not in event.sentence for event in alone)


def test_what_another_provider_admits_changes_nothing() -> None:
    assert tell(admission(TROUBLE_H, provider="gmail")) == tell()


def test_what_is_taken_back_or_has_run_out_changes_nothing() -> None:
    assert tell(admission(2, lasts=1), admission(4), admission(5, lasts=0)) == tell()


def test_admitting_alone_is_no_incident() -> None:
    judge = Judge(names=NAMES)

    assert judge.hear(admission(0)) == []
    healthy = [seen for seen in weak_trouble() if seen.at < START + at(TROUBLE_H)]
    assert [event for seen in healthy for event in judge.observe(seen)] == []


def test_a_judge_that_starts_again_knows_what_is_admitted() -> None:
    judge = Judge(names=NAMES)
    bare = json.dumps(judge.snapshot())
    judge.hear(admission(0))
    saved = json.loads(json.dumps(judge.snapshot()))

    assert "admissions" not in bare
    assert saved["admissions"] == [["yahoo", ID, pytest.approx(24 + _hour(START))]]
    again = Judge.restore(saved, names=NAMES)
    assert again.snapshot() == saved
    again.tick(START + at(25))
    again.hear(admission(26, lasts=0))
    assert "admissions" not in again.snapshot()


def _hour(moment: datetime) -> float:
    return moment.timestamp() / 3600
