"""The demo's story, as the judge hears it: one provider at fault, one sender, and recovery."""

from datetime import timedelta
from functools import cache

import pytest

from monitor.core.incidents import Cause, Incident, IncidentEvent, State, fold
from tests.judge.worlds import LINK, NORTHWIND, START, at, demo_world, judged


@cache
def heard(chance: int = 1, stray: float = 0.0) -> tuple[IncidentEvent, ...]:
    return tuple(judged(demo_world(seed=chance, stray=stray).observations(at(33))))


def told(chance: int = 1, stray: float = 0.0) -> list[Incident]:
    ids = dict.fromkeys(event.incident for event in heard(chance, stray))
    return [fold(e for e in heard(chance, stray) if e.incident == name) for name in ids]


def when(incident: Incident) -> dict[State, timedelta]:
    """When the incident first entered each state, since the start of the world."""
    moments: dict[State, timedelta] = {}
    for event in heard():
        if event.incident == incident.id:
            moments.setdefault(event.state, event.at - START)
    return moments


@pytest.mark.parametrize("chance", [1, 2, 5])
def test_one_provider_and_one_sender_are_at_fault_and_nobody_else(chance: int) -> None:
    incidents = [i for i in told(chance) if State.CONFIRMED in i.states]

    assert {
        (i.latest.cause, i.latest.provider, i.latest.feature, i.latest.sender) for i in incidents
    } == {
        (Cause.PROVIDER_FEATURE, "microsoft365", LINK, None),
        (Cause.SENDER, None, None, NORTHWIND.name),
    }


def test_the_provider_is_named_within_two_rounds_and_heals_within_six_hours() -> None:
    """Onset is 10 h after the start, healing 22 h; senders mail every two hours."""
    provider = next(i for i in told() if i.latest.provider == "microsoft365")
    entered = when(provider)

    assert entered[State.CONFIRMED] <= at(14)
    assert at(22) < entered[State.RECOVERING] <= at(28)
    assert entered[State.CLOSED] <= at(32)


def test_the_sender_is_named_within_three_rounds_and_stays_in_trouble() -> None:
    sender = next(i for i in told() if i.latest.sender == NORTHWIND.name)

    assert when(sender)[State.CONFIRMED] <= at(15)
    assert sender.state is State.CONFIRMED


def test_a_few_stray_copies_change_nothing() -> None:
    confirmed = [i for i in told(chance=6, stray=0.02) if State.CONFIRMED in i.states]

    assert {i.latest.cause for i in confirmed} == {Cause.PROVIDER_FEATURE, Cause.SENDER}


def test_the_sentences_name_provider_feature_and_counts() -> None:
    said = {(e.cause, e.state): e.sentence for e in heard()}

    assert said[Cause.PROVIDER_FEATURE, State.CONFIRMED] == (
        "Microsoft 365 is quarantining mail that links to lnk.example.net: 6 of 6 senders hit "
        "since 2026-03-02 18:00 UTC. It is not you. Corporate gateway, Gmail, GMX and "
        "4 other providers are normal."
    )
    assert said[Cause.SENDER, State.CONFIRMED] == (
        "Mail from northwind.example.org goes to spam at all 8 providers since "
        "2026-03-02 18:30 UTC: 1 of 11 senders; the others are normal. It is this sender's "
        "mail, not the providers."
    )
    assert said[Cause.PROVIDER_FEATURE, State.CLOSED] == (
        "Mail that links to lnk.example.net at Microsoft 365 is normal again. It lasted from "
        "2026-03-02 18:00 UTC to 2026-03-03 06:00 UTC; 6 senders hit."
    )
