"""Hold advice: which mail waits, for whom, and until when to ask again."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch

import pytest

from monitor.core.advice import Action, all_advice, hold_advice
from monitor.core.incidents import Cause, Direction, IncidentEvent, State, fold
from monitor.core.seeds import ProviderFacts

NOW = datetime(2026, 3, 2, 8, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
FACTS = {
    "microsoft365": ProviderFacts(
        id="microsoft365",
        name="Microsoft 365",
        mx=("mail.protection.outlook.com", "mx.microsoft"),
        imap=None,
        folders={},
    )
}
EVENT = IncidentEvent(
    at=NOW - HOUR,
    incident="microsoft365/2026-03-02T05",
    state=State.CONFIRMED,
    cause=Cause.PROVIDER_FEATURE,
    start=NOW - 3 * HOUR,
    start_low=NOW - 4 * HOUR,
    start_high=NOW - 2 * HOUR,
    posterior={Cause.PROVIDER_FEATURE: 0.97},
    sentence="Microsoft 365 is quarantining mail that links to lnk.example.",
    reason="",
    provider="microsoft365",
    feature="url:lnk.example",
)


def action(event: IncidentEvent, facts: Mapping[str, ProviderFacts] = FACTS) -> Action | None:
    advice = hold_advice(event, facts, NOW)
    return advice.action if advice else None


def test_a_confirmed_incident_says_which_mail_to_hold_and_when_to_ask_again() -> None:
    advice = hold_advice(EVENT, FACTS, NOW)
    assert advice is not None
    told = json.loads(json.dumps(advice.as_json()))
    assert told == {
        "incident": EVENT.incident,
        "action": "hold",
        "provider": "microsoft365",
        "provider_name": "Microsoft 365",
        "mx_patterns": [
            "mail.protection.outlook.com",
            "*.mail.protection.outlook.com",
            "mx.microsoft",
            "*.mx.microsoft",
        ],
        "feature": "url:lnk.example",
        "sender": None,
        "cause": "provider_feature",
        "state": "confirmed",
        "reason": EVENT.sentence,
        "since": "2026-03-02T05:20:00+00:00",
        "until": "2026-03-02T10:00:00+00:00",
        "probability": 0.97,
    }


def test_its_patterns_match_the_hosts_of_that_provider_and_no_others() -> None:
    advice = hold_advice(EVENT, FACTS, NOW)
    assert advice is not None

    def is_meant(host: str) -> bool:
        return any(fnmatch(host, pattern) for pattern in advice.mx_patterns)

    assert is_meant("acme-com.mail.protection.outlook.com")
    assert not is_meant("evilmail.protection.outlook.com")
    assert not is_meant("outlook-com.olc.protection.outlook.com")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Action.HOLD),
        ({"state": State.SUSPECTED}, Action.SLOW),
        ({"state": State.RECOVERING}, Action.SLOW),
        ({"state": State.CLOSED}, Action.SEND),
        ({"direction": Direction.BETTER}, Action.SEND),
        ({"gauge": "delay_h"}, Action.SLOW),
        ({"gauge": "scl"}, Action.SEND),
        ({"cause": Cause.SENDER_AT_PROVIDER, "sender": "acme.example"}, Action.SLOW),
        ({"cause": Cause.SENDER, "sender": "acme.example"}, Action.HOLD),
        ({"cause": Cause.SEED}, None),
        ({"cause": Cause.MONITOR}, None),
        ({"cause": Cause.INSUFFICIENT}, None),
    ],
)
def test_what_to_do_follows_from_state_and_cause(
    changed: dict[str, object], expected: Action | None
) -> None:
    assert action(replace(EVENT, **changed)) is expected


def test_a_senders_own_trouble_names_the_sender_and_asks_nothing_of_others() -> None:
    own = replace(EVENT, cause=Cause.SENDER, sender="acme.example", provider=None, feature=None)
    advice = hold_advice(own, FACTS, NOW)
    assert advice is not None
    assert (advice.sender, advice.provider, advice.mx_patterns) == ("acme.example", None, ())
    others = hold_advice(replace(EVENT, sender="acme.example"), FACTS, NOW)
    assert others is not None
    assert others.sender is None


def test_a_provider_that_nobody_described_is_called_by_its_id() -> None:
    advice = hold_advice(EVENT, {}, NOW)
    assert advice is not None
    assert (advice.provider_name, advice.mx_patterns) == ("microsoft365", ())


def test_a_probability_that_was_not_reckoned_is_not_zero() -> None:
    advice = hold_advice(replace(EVENT, posterior={}), FACTS, NOW)
    assert advice is not None
    assert advice.probability is None


def test_advice_stays_the_same_within_an_hour() -> None:
    first, later = (hold_advice(EVENT, FACTS, NOW + timedelta(minutes=m)) for m in (0, 39))
    assert first == later
    assert hold_advice(EVENT, FACTS, NOW + HOUR) != first


def test_only_open_incidents_that_ask_for_something_are_listed() -> None:
    story = [EVENT, replace(EVENT, state=State.CLOSED)]
    better = replace(EVENT, incident="better", direction=Direction.BETTER)
    found = all_advice([fold(story[:1]), fold([better])], FACTS, NOW)
    assert [one.incident for one in found] == [EVENT.incident]
    assert all_advice([fold(story)], FACTS, NOW) == []
