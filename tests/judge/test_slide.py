"""The slow channel: a filter that tightens a little every day."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.core.placements import Placement
from monitor.judge.judge import Judge
from monitor.judge.slide import agreement
from tests.judge.worlds import START, Trouble, World, at, judged, senders

PROVIDERS = ("gmail", "yahoo", "icloud")
ONSET_H = 144
STEP_H = 5


def sliding() -> World:
    """After six days, yahoo takes 3 % more of all mail to spam every five hours."""
    steps = [
        Trouble(
            lambda m: m.provider == "yahoo",
            Placement.SPAM,
            at(ONSET_H + STEP_H * step),
            at(ONSET_H + STEP_H * (step + 1)),
            share=0.03 * (step + 1),
        )
        for step in range(10)
    ]
    crowd = tuple(replace(s, every=timedelta(hours=5)) for s in senders(14, 0))
    return World(
        senders=crowd, providers=PROVIDERS, troubles=steps, seeds=8, stray=0.05, looks=(at(0.5),)
    )


def alarms(events: list[IncidentEvent]) -> list[IncidentEvent]:
    return [e for e in events if e.state is State.CONFIRMED and e.cause is Cause.PROVIDER]


def test_a_slow_slide_is_found_before_a_third_of_the_mail_is_lost() -> None:
    found = alarms(
        judged(sliding().observations(at(ONSET_H + 10 * STEP_H)), Judge(false_alarms_per_year=6))
    )

    assert {event.provider for event in found} == {"yahoo"}
    assert at(ONSET_H) < found[0].at - START < at(ONSET_H + 10 * STEP_H)


def test_few_senders_that_agree_prove_less_than_their_standard_error_says() -> None:
    # t = 4.33 with 7 degrees of freedom is as rare as 2.93 of the normal distribution.
    mean = 4.33 * math.sqrt(8 / 7 / 8)
    means = mean + np.array([1.0, -1.0] * 4)

    found = agreement(means, np.ones(8, dtype=int), doubt=0.0)

    assert found == pytest.approx(2.93**2 / 2, rel=0.02)


def test_senders_that_do_better_than_usual_speak_for_nothing() -> None:
    assert agreement(np.full(9, -0.2), np.ones(9, dtype=int), doubt=0.0) == 0.0
