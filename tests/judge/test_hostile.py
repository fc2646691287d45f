"""Whatever comes in is bounded, and never breaks the judge."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.core.incidents import IncidentEvent
from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge.judge import Judge
from tests.judge.worlds import START, World, at, senders

LOOKS = (timedelta(minutes=32),)


def one(**changes: object) -> Observation:
    seen = World(senders=senders(1), providers=("gmail",), looks=LOOKS).observations(at(1))[0]
    return replace(seen, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "placements",
    [
        {},
        {"a@b": Placement.PENDING},
        {"a@b": Placement.UNKNOWN},
        {"a@b": Placement.SPAM},
        {f"seed{n}@b": Placement.SPAM for n in range(5000)},
        {"": Placement.REMOVED, "\x00\ud800": Placement.MISSING},
    ],
    ids=["none", "pending", "unknown", "lone", "thousands", "strange"],
)
def test_any_number_of_copies_is_taken(placements: dict[str, Placement]) -> None:
    judge = Judge()

    assert judge.observe(one(placements=placements)) == []
    assert len(json.dumps(judge.snapshot())) < 25_000


@pytest.mark.parametrize(
    "changes",
    [
        {"features": frozenset(f"url:{n}.{'x' * 5000}" for n in range(500))},
        {"features": frozenset({"", ":", "url:", "\n\r\x1b[31m", "region:"})},
        {"sender": "x" * 100_000},
        {"provider": ""},
        {"test": ""},
        {"sent_at": START + timedelta(days=4000)},
        {"sent_at": START - timedelta(days=4000)},
        {"regions": {"seed0@gmail.example": "x" * 100_000}},
        {"look": -7},
        {"look": 10**9},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_any_words_and_numbers_are_taken_and_bounded(changes: dict[str, object]) -> None:
    judge = Judge()

    judge.observe(one(**changes))

    assert len(json.dumps(judge.snapshot())) < 40_000


def test_an_observation_of_more_than_a_week_ago_is_left_out() -> None:
    judge = Judge()
    judge.observe(one(id="new", test="new", at=START + timedelta(days=9)))
    before = judge.snapshot()

    assert judge.observe(one(id="old", test="old")) == []
    assert judge.snapshot() == before


def test_names_from_outside_cannot_break_a_sentence() -> None:
    """A sender may call itself what it likes; a person reads one plain line."""
    nasty = "evil\r\nSubject: x\x1b[2J" + "y" * 300
    crowd = (replace(senders(1)[0], name=nasty), *senders(8)[1:])
    world = World(senders=crowd, providers=("gmail", "yahoo", "icloud"), looks=LOOKS)
    bad = [
        replace(seen, placements=dict.fromkeys(seen.placements, Placement.SPAM))
        if seen.sender == nasty and seen.at > START + at(8)
        else seen
        for seen in world.observations(at(16))
    ]
    judge = Judge()
    events: list[IncidentEvent] = [event for seen in bad for event in judge.observe(seen)]

    assert events
    assert all(event.sentence.isprintable() for event in events)
    assert all(len(event.sentence) < 500 for event in events)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="false_alarms_per_year"):
        Judge(false_alarms_per_year=rate)


@pytest.mark.parametrize("snapshot", [{}, {"version": 0}, {"version": "1"}])
def test_a_snapshot_of_another_version_is_refused(snapshot: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="version"):
        Judge.restore(snapshot)
