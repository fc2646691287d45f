"""What must hold in any world."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core.incidents import Cause, IncidentEvent, State, fold
from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge.judge import Judge
from tests.judge.worlds import Mail, Sender, Trouble, World, at, judged, senders
from tests.providers import NAMES

PROVIDERS = ("gmail", "microsoft365", "yahoo", "icloud")
LOOKS = (timedelta(minutes=32), timedelta(minutes=62))
PLACES = st.sampled_from([*Placement])


def linking(mail: Mail) -> bool:
    return mail.provider == "microsoft365" and mail.has_link


def story() -> list[Observation]:
    """A provider incident that heals, a sender in trouble, a dead seed, and some noise."""
    troubles = (
        Trouble(linking, Placement.QUARANTINE, at(8), at(14)),
        Trouble(lambda m: m.sender.name == "s7.example.org", Placement.SPAM, at(8)),
        Trouble(lambda m: m.provider == "yahoo" and m.seed == "seed1", Placement.MISSING, at(6)),
    )
    world = World(
        senders=senders(8, 5), providers=PROVIDERS, troubles=troubles, stray=0.02, looks=LOOKS
    )
    return world.observations(at(22))


def renamed(event: IncidentEvent, names: dict[str, str]) -> tuple[object, ...]:
    """What an event says, with senders' names exchanged, sentences and all."""
    hit = tuple(names.get(name, name) for name in event.hit)
    spared = tuple(names.get(name, name) for name in event.spared)
    sender = names.get(event.sender or "", event.sender)
    rest = (event.at, event.incident, event.state, event.cause, event.provider, event.feature)
    return (*rest, sender, hit, spared, tuple(event.posterior.items()), event.start)


def test_the_senders_names_do_not_matter() -> None:
    plain = story()
    names = sorted({seen.sender for seen in plain})
    shuffled = dict(zip(names, random.Random(3).sample(names, len(names)), strict=True))
    other = [replace(seen, sender=shuffled[seen.sender]) for seen in plain]

    told = [renamed(event, {}) for event in judged(other)]

    assert told == [renamed(event, shuffled) for event in judged(plain)]


@pytest.mark.parametrize("share", [0.1, 0.45, 0.7, 0.9])
def test_a_judge_that_was_restored_goes_on_exactly(share: float) -> None:
    """Cut anywhere, saved as JSON, resumed: the same events as in one go, and the same state."""
    whole = story()
    cut = int(share * len(whole))
    straight, first = Judge(names=NAMES), Judge(names=NAMES)

    expected = judged(whole, straight)
    events = judged(whole[:cut], first)
    resumed = Judge.restore(json.loads(json.dumps(first.snapshot())), names=NAMES)
    events += judged(whole[cut:], resumed)

    assert events == expected
    assert json.dumps(resumed.snapshot()) == json.dumps(straight.snapshot())


def test_an_observation_that_comes_again_changes_nothing() -> None:
    once, twice = Judge(names=NAMES), Judge(names=NAMES)
    observations = story()

    expected = judged(observations, once)
    events = [event for seen in observations for _ in range(2) for event in twice.observe(seen)]
    events += judged(observations[-50:], twice)

    assert events == expected
    assert twice.snapshot() == once.snapshot()


def test_a_healthy_provider_more_changes_no_verdict() -> None:
    world = World(
        senders=senders(8, 5),
        providers=PROVIDERS,
        troubles=(Trouble(linking, Placement.QUARANTINE, at(8)),),
        looks=LOOKS,
    )

    def verdicts(providers: Sequence[str]) -> set[tuple[object, ...]]:
        events = judged(replace(world, providers=providers).observations(at(16)))
        last = {event.incident: event for event in events}
        return {(e.state, e.cause, e.provider, e.feature, frozenset(e.hit)) for e in last.values()}

    assert verdicts((*PROVIDERS, "zoho")) == verdicts(PROVIDERS)


def test_more_mail_that_is_hit_makes_the_cause_no_less_probable() -> None:
    world = World(
        senders=senders(10, 10),
        providers=PROVIDERS,
        troubles=(Trouble(lambda m: m.provider == "yahoo", Placement.SPAM, at(8)),),
        looks=LOOKS[:1],
    )

    events = judged(world.observations(at(20)))

    shares = [e.posterior[Cause.PROVIDER] for e in events if e.state is State.CONFIRMED]
    assert len(shares) > 1
    assert all(later >= earlier - 0.01 for earlier, later in pairwise(shares))


def test_every_story_is_legal_and_told_in_order() -> None:
    events = judged(story())
    ids = dict.fromkeys(event.incident for event in events)

    stories = [fold(e for e in events if e.incident == name) for name in ids]

    assert len(stories) >= 3
    assert all(event.cause in event.posterior for event in events)
    assert events == sorted(events, key=lambda event: event.at)


def test_late_and_shuffled_observations_lead_to_the_same_verdict() -> None:
    """Observations up to an hour late are taken in; who is to blame does not change."""
    plain = story()
    chance = random.Random(5)
    mixed = sorted(plain, key=lambda seen: seen.at + timedelta(minutes=chance.uniform(0, 60)))

    def blamed(observations: list[Observation]) -> set[tuple[object, ...]]:
        events = judged(observations)
        last = {event.incident: event for event in events if event.state is State.CONFIRMED}
        return {(e.cause, e.provider, e.feature, e.sender, e.seed) for e in last.values()}

    assert blamed(mixed) == blamed(plain)


@given(
    collapses=st.lists(
        st.tuples(st.sampled_from(PROVIDERS), st.integers(4, 12)), min_size=1, max_size=4
    ),
    placement=st.sampled_from([Placement.SPAM, Placement.REJECTED, Placement.QUARANTINE]),
)
@settings(max_examples=12, deadline=None)
def test_no_provider_is_blamed_for_one_sender(
    collapses: list[tuple[str, int]], placement: Placement
) -> None:
    troubles = [
        Trouble(
            lambda m, p=provider: m.sender.name == "s2.example.org" and m.provider == p,
            placement,
            at(hour),
        )
        for provider, hour in collapses
    ]
    world = World(
        senders=senders(6, 3), providers=PROVIDERS, troubles=troubles, seeds=3, looks=LOOKS[:1]
    )

    events = judged(world.observations(at(24)))

    assert [event for event in events if event.cause.blames_provider] == []


@st.composite
def strange_streams(draw: st.DrawFn) -> list[Observation]:
    """Few clusters, any placements, any looks, any order."""
    world = World(senders=senders(3, 2), providers=("gmail", "yahoo"), seeds=3, looks=LOOKS)
    stream = world.observations(at(4))
    picked = draw(st.lists(st.sampled_from(stream), max_size=40))
    return [
        replace(
            seen,
            id=f"{seen.id}/{number}",
            look=draw(st.integers(0, 3)),
            at=seen.at + timedelta(minutes=draw(st.integers(0, 3000))),
            placements={seed: draw(PLACES) for seed in seen.placements},
        )
        for number, seen in enumerate(picked)
    ]


@given(stream=strange_streams())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_stream_is_judged_legally_and_can_be_resumed(stream: list[Observation]) -> None:
    judge = Judge()

    events = judged(stream, judge)

    for name in {event.incident for event in events}:
        fold(event for event in events if event.incident == name)
    saved = json.dumps(judge.snapshot())
    assert json.dumps(Judge.restore(json.loads(saved)).snapshot()) == saved


def test_fifty_senders_at_ten_providers_fit_in_five_megabytes() -> None:
    """Two tests a day and sender for a week, five seeds a provider, seven looks."""
    crowd = tuple(
        Sender(f"s{n}.example.org", frozenset({f"url:u{n % 9}", f"esp:e{n % 4}"}), at(12))
        for n in range(50)
    )
    world = World(
        senders=crowd,
        providers=tuple(f"provider{n}" for n in range(10)),
        seeds=5,
        looks=(LOOKS[0],),
    )
    judge = Judge()
    judged(world.observations(at(24 * 7)), judge)

    assert len(json.dumps(judge.snapshot())) < 5_000_000
