"""What an incident means for a list, in words."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.core.crossing import crossed
from monitor.core.exposure import Exposure
from monitor.core.incidents import Cause, Direction, State, fold
from tests.core.test_advice import EVENT

LIST = Exposure({"microsoft365": 310, "gmail": 690})
NAMES = {"microsoft365": "Microsoft 365"}
WHOLE = replace(EVENT, cause=Cause.PROVIDER, feature=None)


def told(exposure: Exposure = LIST, **changed: Any) -> list[str]:
    return crossed(exposure, [fold([replace(WHOLE, **changed)])], NAMES)


def test_a_list_is_crossed_with_what_is_wrong_now() -> None:
    (sentence,) = told()
    assert sentence == (
        "31 % of this list (310 of 1000) is at Microsoft 365,"
        " which is degraded since 2026-03-02 05:20 UTC."
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"feature": "url:lnk.example"}, "which is degraded for mail that links to lnk.example"),
        ({"state": State.SUSPECTED}, "which perhaps is degraded since"),
        ({"state": State.RECOVERING}, "which recovers."),
        ({"gauge": "delay_h"}, "which delivers mail late since"),
        ({"cause": Cause.SENDER_AT_PROVIDER}, "which filters your mail since"),
    ],
)
def test_the_state_is_said_with_its_certainty(changed: dict[str, Any], words: str) -> None:
    states = [replace(WHOLE, **changed)]
    if changed.get("state") is State.RECOVERING:
        states.insert(0, WHOLE)
    (sentence,) = crossed(LIST, [fold(states)], NAMES)
    assert words in sentence


@pytest.mark.parametrize(
    "changed",
    [
        {"direction": Direction.BETTER},
        {"gauge": "scl"},
        {"provider": None},
        {"provider": "gmx"},
        {"state": State.CLOSED},
    ],
)
def test_what_asks_nothing_of_this_list_is_not_told(changed: dict[str, Any]) -> None:
    events = [WHOLE, replace(WHOLE, **changed)]
    assert crossed(LIST, [fold(events)], NAMES) == []


def test_what_nobody_can_tell_is_said_and_nothing_is_said_of_a_list_without_answers() -> None:
    (sentence,) = told(Exposure({"other": 90, "unknown": 10}))
    assert sentence.startswith("0 to 10 % of this list (0 of 100; of 10 nobody can tell)")
    assert told(Exposure({"unknown": 10})) == []


def test_strangers_words_cannot_steer_the_sentence() -> None:
    (sentence,) = told(feature="url:{}\x1b[2J{0}")
    assert "{} [2J{0}" in sentence
