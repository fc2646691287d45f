"""What an advisory tells of, and whether an incident is the same thing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.advisories import (
    Story,
    kinds_of,
    lead_sentence,
    match,
    merged,
    provider_named,
    successor_of,
)
from monitor.core.incidents import Cause, Direction, Evidence, Incident, IncidentEvent, State, fold

BEGAN = datetime(2026, 2, 5, 10, 0, tzinfo=UTC)
SEEN = BEGAN + timedelta(hours=2)
NOW = BEGAN + timedelta(days=1)
STORY = Story(
    "EX1227432",
    "microsoft365",
    "Some users' messages are quarantined",
    "A URL rule incorrectly flagged lnk.example as phishing.",
    started_at=BEGAN - timedelta(minutes=30),
    ended_at=None,
    published_at=SEEN + timedelta(hours=3, minutes=40),
    updated_at=NOW,
    is_resolved=False,
    kinds=("quarantine", "phish", "url"),
)
Make = Callable[..., Incident]


@pytest.fixture
def incident() -> Make:
    """Make an incident that was suspected an hour before it was confirmed."""

    def make(**values: object) -> Incident:
        event = IncidentEvent(
            at=SEEN - timedelta(hours=1),
            incident="microsoft365-1",
            state=State.SUSPECTED,
            cause=Cause.PROVIDER_FEATURE,
            start=BEGAN,
            start_low=BEGAN - timedelta(hours=1),
            start_high=BEGAN + timedelta(hours=1),
            posterior={},
            sentence="",
            reason="",
            provider="microsoft365",
            feature="url:lnk.example",
            evidence=Evidence(placements={"quarantine": 20, "inbox": 3}),
        )
        event = replace(event, **values)  # type: ignore[arg-type]
        return fold([event, replace(event, at=SEEN, state=State.CONFIRMED)])

    return make


def test_the_same_provider_time_and_trouble_match(incident: Make) -> None:
    found = match(STORY, incident(), now=NOW)

    assert found.is_same
    assert found.score > 0.9
    assert "it names lnk.example" in found.reasons
    assert any("quarantine" in reason for reason in found.reasons)


def test_the_lead_counts_from_the_confirmed_alarm(incident: Make) -> None:
    assert match(STORY, incident(), now=NOW).lead == timedelta(hours=3, minutes=40)


@pytest.mark.parametrize(
    "other",
    [
        replace(STORY, provider="yahoo"),
        replace(STORY, started_at=NOW - timedelta(days=9), ended_at=NOW - timedelta(days=8),
                is_resolved=True),
        replace(STORY, kinds=("attachment", "missing"), title="", text="",
                started_at=BEGAN - timedelta(days=4)),
        replace(STORY, kinds=("delay",), title="", text=""),
    ],
    ids=["another provider", "over for long", "another trouble, long before", "delays"],
)  # fmt: skip
def test_what_is_something_else_does_not_match(incident: Make, other: Story) -> None:
    assert not match(other, incident(), now=NOW).is_same


def test_delays_match_an_incident_of_late_mail(incident: Make) -> None:
    late = incident(gauge="delay_h", feature=None, cause=Cause.PROVIDER, evidence=Evidence())

    assert match(replace(STORY, kinds=("delay",)), late, now=NOW).is_same
    assert not match(replace(STORY, kinds=("quarantine",)), late, now=NOW).is_same


def test_a_change_for_the_better_is_nothing_that_is_admitted(incident: Make) -> None:
    assert match(STORY, incident(direction=Direction.BETTER), now=NOW).score == 0


def test_gmail_s_advisories_are_about_workspace_too_and_an_esp_s_about_its_mail(
    incident: Make,
) -> None:
    workspace = incident(provider="google_workspace")
    esp = incident(provider=None, cause=Cause.ESP, esp="acme", feature=None)

    assert match(replace(STORY, provider="gmail"), workspace, now=NOW).is_same
    assert match(replace(STORY, provider="acme"), esp, now=NOW).is_same


def test_an_advisory_without_any_start_is_placed_by_its_publication(incident: Make) -> None:
    assert match(replace(STORY, started_at=None), incident(), now=NOW).is_same


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Messages may be quarantined", ("quarantine",)),
        ("removed by zero-hour auto purge (ZAP)", ("zap",)),
        ("legitimate URLs flagged as phishing", ("phish", "url")),
        ("Some email is marked as spam", ("spam",)),
        ("users may receive a non-delivery report", ("reject",)),
        ("mail flow is delayed, messages are queued", ("delay",)),
        ("Users are unable to receive email", ("missing",)),
        ("Calendars cannot be shared", ()),
    ],
)
def test_what_a_text_tells_of_is_read_from_its_words(text: str, kinds: tuple[str, ...]) -> None:
    assert kinds_of(text) == kinds


def test_a_title_that_names_one_provider_is_about_it() -> None:
    assert provider_named("Delays to Yahoo recipients") == "yahoo"
    assert provider_named("Bounces at Gmail and iCloud") == ""
    assert provider_named("Our API is slow") == ""


def test_who_is_merged_goes_on_and_a_ring_of_names_ends() -> None:
    assert successor_of("EX1", "This event has been merged into MO1148487.") == "MO1148487"
    assert successor_of("EX1061430", "More under EX1061430.") == ""
    ring = [replace(STORY, id="EX1000", goes_on_as="EX2000"),
            replace(STORY, id="EX2000", goes_on_as="EX1000",
                    published_at=STORY.published_at - timedelta(hours=1))]  # fmt: skip

    assert {s.published_at for s in merged(ring)} == {STORY.published_at - timedelta(hours=1)}


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (220, "We saw it 3 h 40 min before EX1227432 was published."),
        (-20, "Microsoft 365 published EX1227432 20 min before we saw it."),
        (0, "We saw it when EX1227432 was published."),
        (2 * 1440, "We saw it 2 d before EX1227432 was published."),
    ],
)
def test_who_was_first_is_said_in_words(minutes: int, said: str) -> None:
    assert lead_sentence(STORY, timedelta(minutes=minutes), "Microsoft 365") == said


def test_what_a_person_entered_is_not_said_to_be_published_then() -> None:
    by_hand = replace(STORY, is_entered=True)

    assert "before EX1227432 was entered here" in lead_sentence(
        by_hand, timedelta(hours=3), "Microsoft 365"
    )
