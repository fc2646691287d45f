"""The pure parts: timelines, verdicts, lengths of time, charts."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.campaigns import Outcome
from monitor.core.incidents import Cause, Direction, State, fold
from monitor.core.placements import Placement, Sighting
from monitor.store.pages import Cluster
from monitor.store.pages_tests import Attempt
from monitor.web.advice import advice
from monitor.web.charts import bar, spark
from monitor.web.filters import between, counted, listed, moment, span, spoken
from monitor.web.outcome import outcome
from monitor.web.series import axis, chart
from monitor.web.shares import share
from monitor.web.shares import test_views as views_of_a_test
from monitor.web.timeline import timeline
from monitor.web.verdict import (
    FAULT,
    confidence,
    fault,
    feature_words,
    is_just_over,
    is_minor,
    placements_told,
    stage,
    urgent_first,
    whom,
)
from tests.web.worlds import FACTS, NOW, provider_incident, sender_incident

MINUTE = timedelta(minutes=1)
P = Placement


def looks(*placements: Placement) -> list[Sighting]:
    return [Sighting(NOW + n * MINUTE, placement) for n, placement in enumerate(placements)]


@pytest.mark.parametrize(
    ("placements", "expected"),
    [
        ([], []),
        ([P.PENDING, P.PENDING, P.INBOX], ["not there yet", "seen in the inbox"]),
        ([P.INBOX, P.SPAM], ["seen in the inbox", "moved to spam"]),
        (
            [P.INBOX, P.REMOVED, P.INBOX],
            ["seen in the inbox", "removed after delivery", "restored to the inbox"],
        ),
        (
            [P.INBOX, P.UNKNOWN, P.INBOX],
            ["seen in the inbox", "could not look", "still in the inbox"],
        ),
        ([P.MISSING, P.TAB], ["missing: the time for it to arrive is over", "seen in a tab"]),
        ([P.REJECTED], ["rejected"]),
        ([P.QUARANTINE, P.INBOX], ["seen in quarantine", "moved to the inbox"]),
    ],
)
def test_a_copys_looks_read_as_a_story(placements: list[Placement], expected: list[str]) -> None:
    assert [m.what for m in timeline([], looks(*placements))] == expected


@given(st.lists(st.sampled_from(list(Placement)), max_size=60))
def test_a_timeline_is_in_order_and_never_endless(placements: list[Placement]) -> None:
    moments = timeline([], looks(*placements))
    assert len(moments) <= 17
    assert [m.at for m in moments] == sorted(m.at for m in moments)


def test_attempts_that_end_alike_are_told_once() -> None:
    def attempt(n: int, outcome: Outcome | None, text: str = "") -> Attempt:
        at = NOW + n * MINUTE
        return Attempt(at, at if outcome else None, outcome, 451 if text else 250, "", text)

    tries = [attempt(n, Outcome.DEFERRED, "try later") for n in range(5)]
    moments = timeline([*tries, attempt(5, Outcome.ACCEPTED)], [])
    assert [(m.what, m.times, m.detail) for m in moments] == [
        ("deferred by the server", 5, "451 try later"),
        ("handed over", 1, "250"),
    ]
    assert timeline([attempt(0, None)], [])[0].what == "being handed over"


def test_provider_trouble_comes_before_a_senders_and_confirmed_before_suspected() -> None:
    suspected = fold(provider_incident([])[:1])
    confirmed = fold(provider_incident([]))
    sender = fold(sender_incident([]))
    assert urgent_first([sender, suspected, confirmed]) == [confirmed, sender, suspected]


@pytest.mark.parametrize(
    ("posterior", "expected"),
    [
        ({Cause.PROVIDER_FEATURE: 0.995}, ("almost certain", 0.995)),
        ({Cause.PROVIDER_FEATURE: 0.93}, ("very likely", 0.93)),
        ({Cause.PROVIDER_FEATURE: 0.7}, ("likely", 0.7)),
        ({Cause.PROVIDER_FEATURE: 0.51}, ("probable", 0.51)),
        ({Cause.PROVIDER_FEATURE: 0.3, Cause.ESP: 0.29}, ("uncertain", 0.3)),
        ({Cause.ESP: 0.9}, None),
    ],
)
def test_how_sure_is_a_word_and_a_number(
    posterior: dict[Cause, float], expected: tuple[str, float] | None
) -> None:
    event = replace(provider_incident([])[0], posterior=posterior)
    assert confidence(fold([event])) == expected


@pytest.mark.parametrize("cause", list(Cause))
def test_there_is_advice_for_every_cause_and_no_gap_is_left_in_it(cause: Cause) -> None:
    lines = advice(fold([replace(provider_incident([])[0], cause=cause)]), FACTS)
    assert lines
    assert not [line for line in lines if "{" in line]


def test_advice_names_where_to_report_if_that_is_known() -> None:
    form = "https://report.example.com"
    facts = {"microsoft365": replace(FACTS["microsoft365"], report_form=form)}
    lines = advice(fold(provider_incident([])), facts)
    assert lines[-1] == f"Report the false positives to Microsoft 365: {form}"
    unnamed = advice(fold(provider_incident([])), {})
    assert unnamed[-1] == "Report the false positives to microsoft365."


CONFIRMED = provider_incident([])[-1]
DELAY = replace(CONFIRMED, cause=Cause.PROVIDER, feature=None, gauge="delay_h")
MILDER = replace(CONFIRMED, direction=Direction.BETTER)


@pytest.mark.parametrize("cause", [c for c in Cause if c is not Cause.INSUFFICIENT])
def test_what_is_only_suspected_is_nobodys_certain_fault(cause: Cause) -> None:
    told = fold([replace(CONFIRMED, state=State.SUSPECTED, cause=cause)])
    assert fault(told).startswith("Perhaps ")
    assert fault(fold([replace(CONFIRMED, cause=cause)])) == FAULT[cause]


def test_a_suspicion_asks_nobody_to_change_anything() -> None:
    told = fold([replace(CONFIRMED, state=State.SUSPECTED)])
    assert advice(told, FACTS)[0] == "Change nothing yet: more mail will tell."


def test_late_mail_is_not_to_be_sent_again_and_no_false_positive() -> None:
    lines = advice(fold([DELAY]), FACTS)
    assert lines[0] == "Do not send again what has not arrived: it is on its way."
    assert not [line for line in lines if "false positives" in line]
    assert fault(fold([DELAY])) == "The provider’s delay, not yours"
    recovering = advice(fold([DELAY, replace(DELAY, state=State.RECOVERING)]), FACTS)
    assert recovering[0].startswith("Mail arrives in time again.")


def test_scores_that_rise_are_a_notice_below_the_verdict() -> None:
    told = fold([replace(DELAY, state=State.SUSPECTED, gauge="scl")])
    assert is_minor(told)
    assert fault(told) == "Perhaps a filter that has become stricter"
    assert advice(told, FACTS)[0] == "Nothing yet: mail still arrives there."


def test_a_milder_filter_is_a_notice_and_asks_for_nothing() -> None:
    assert stage(MILDER) == "notice"
    assert whom(MILDER).met == "Fares better"
    assert advice(fold([MILDER]), FACTS)[0].startswith("Nothing needs to be done")
    assert advice(fold([MILDER, replace(MILDER, state=State.CLOSED)]), FACTS) == []


def test_a_part_of_another_incident_is_neither_over_nor_a_fault_of_its_own() -> None:
    recovering = replace(CONFIRMED, state=State.RECOVERING)
    part = fold([CONFIRMED, recovering, replace(recovering, state=State.CLOSED, part_of="other")])
    assert stage(part.latest) == "merged"
    assert fault(part) == "Part of another incident"
    assert not is_just_over(part, part.latest.at)


def test_a_suspicion_that_was_dropped_blames_nobody_any_more() -> None:
    suspected = replace(CONFIRMED, state=State.SUSPECTED)
    dropped = fold([suspected, replace(suspected, state=State.CLOSED)])
    assert fault(dropped) == "A suspicion that came to nothing"


def test_too_little_evidence_is_not_said_to_be_likely() -> None:
    open_ = replace(CONFIRMED, cause=Cause.INSUFFICIENT, posterior={Cause.INSUFFICIENT: 0.9})
    assert confidence(fold([open_])) is None


@pytest.mark.parametrize(
    ("feature", "line"),
    [
        (
            "esp:acme+url:a.example",
            (
                "Hold mail sent through acme that links to a.example for Microsoft 365; mail with"
                " only one of the two arrives."
            ),
        ),
        ("region:eu", "Hold campaigns to mailboxes of Microsoft 365 in eu that can wait."),
        ("esp:acme", "Hold mail sent through acme for Microsoft 365, or send it another way."),
        (
            "url:{provider}",
            (
                "Leave links to {provider} out of mail to Microsoft 365 until this is over, or hold"
                " that mail."
            ),
        ),
    ],
)
def test_what_a_provider_holds_back_is_named_as_mail(feature: str, line: str) -> None:
    assert advice(fold([replace(CONFIRMED, feature=feature)]), FACTS)[0] == line


def test_the_monitor_that_recovers_asks_nobody_to_send_what_was_held() -> None:
    blind = replace(CONFIRMED, cause=Cause.MONITOR)
    told = fold([blind, replace(blind, state=State.RECOVERING)])
    assert advice(told, FACTS) == ["Nothing: we go on watching."]
    assert whom(blind).met == "Not seen"


def test_a_closed_incident_needs_no_advice() -> None:
    assert advice(fold(provider_incident([], until=State.CLOSED)), FACTS) == []


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("url:lnk.example.net", "links to lnk.example.net"),
        ("esp:mailer", "the sending service mailer"),
        ("attach:pdf", "attachments of type pdf"),
        ("odd", "odd"),
        ("*", "what these messages share"),
        (None, "what these messages share"),
    ],
)
def test_features_read_as_words(feature: str | None, expected: str) -> None:
    assert feature_words(feature) == expected


def test_places_are_told_most_first() -> None:
    counts = {"removed": 6, "quarantine": 60, "spam": 0}
    assert placements_told(counts) == "60 quarantine, 6 removed"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (5 * 3600 + 60, "5 h 1 min"),
        (11 * 3600 + 60, "11 h"),
        (42 * 3600, "42 h"),
        (100 * 3600, "4 d"),
        (-60, "1 min"),
    ],
)
def test_a_length_of_time_reads_as_people_say_it(seconds: int, expected: str) -> None:
    assert span(timedelta(seconds=seconds)) == expected


def test_times_are_given_in_utc_for_people_and_for_machines() -> None:
    at = datetime.fromisoformat("2026-03-02T09:05:00+01:00")
    assert moment(at) == '<time datetime="2026-03-02T08:05:00Z">2 Mar 2026, 08:05 UTC</time>'
    assert "08:05</time> and" in between(at, at + MINUTE)
    assert "Mar 2026, 08:05 UTC</time> and" in between(at, at + timedelta(days=1))


def test_words_are_joined_and_counted_as_in_speech() -> None:
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"
    assert listed([]) == ""
    assert [counted(n, "copy", "copies") for n in (0, 1, 2)] == ["0 copies", "1 copy", "2 copies"]


def cluster(hours: float, current: Placement = P.INBOX, copies: int = 4) -> Cluster:
    at = NOW - timedelta(hours=hours)
    return Cluster(int(hours * 60), at, "gmail", current, current, False, copies, at)


def test_a_share_without_copies_is_none() -> None:
    assert share({}, 0) is None


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.data())
def test_an_interval_holds_its_share_and_many_copies_are_worth_less(
    sizes: list[int], data: st.DataObject
) -> None:
    arrived = data.draw(st.integers(0, sum(sizes)))
    told = share(dict(enumerate(sizes)), arrived)
    assert told is not None
    assert 0 <= told.low <= told.value + 1e-9
    assert told.value - 1e-9 <= told.high <= 1
    assert len(sizes) - 1e-9 <= told.n_eff <= told.n + 1e-9


CLUSTERS = st.builds(
    cluster, st.floats(0, 71), st.sampled_from([P.INBOX, P.SPAM, P.PENDING]), st.integers(1, 9)
)


@given(st.lists(CLUSTERS, max_size=40))
def test_a_chart_shows_every_decided_copy_within_its_frame(clusters: list[Cluster]) -> None:
    clusters.sort(key=lambda c: c.sent_at)
    filled = chart(clusters, axis(clusters, NOW), troubles=())
    assert sum(p.n for p in filled.points) == sum(c.copies for c in clusters if c.counts)
    assert filled.steps <= 26
    points = " ".join(spark(filled, "Gmail").lines).split()
    assert all(0 <= float(number) <= 150 for p in points for number in p.split(","))


def test_a_long_time_without_mail_is_a_gap_in_the_line() -> None:
    clusters = [cluster(h) for h in (70, 68, 66, 6, 4, 2)]
    assert len(spark(chart(clusters, axis(clusters, NOW), troubles=()), "Gmail").lines) == 2


@given(st.dictionaries(st.sampled_from([p for p in P if p.is_decided]), st.integers(0, 99)))
def test_a_bar_is_filled_exactly(counts: dict[Placement, int]) -> None:
    segments = bar(counts)
    if segments:
        assert abs(segments[-1].start + segments[-1].length - 100) < 0.1
    assert sum(s.copies for s in segments) == sum(counts.values())


def test_the_axis_starts_at_a_whole_step() -> None:
    empty = axis([cluster(40.3)], NOW)
    assert (empty.start - datetime(1970, 1, 1, tzinfo=UTC)) % empty.step == timedelta(0)


def test_usual_is_what_it_was_before_the_trouble() -> None:
    clusters = [cluster(h, P.INBOX if h > 20 else P.SPAM) for h in range(40, 0, -2)]
    trouble = (NOW - timedelta(hours=21), NOW)
    filled = chart(clusters, axis(clusters, NOW), troubles=[trouble])
    assert filled.usual == 1
    assert filled.points[-1].share == 0
    assert chart(clusters[10:], axis(clusters, NOW), troubles=[trouble]).usual is None


def test_usual_is_not_what_it_was_in_a_trouble_that_is_over() -> None:
    clusters = [cluster(h, P.SPAM if 8 < h < 32 else P.INBOX) for h in range(40, 0, -2)]
    trouble = (NOW - timedelta(hours=33), NOW - timedelta(hours=7))
    assert chart(clusters, axis(clusters, NOW), troubles=[trouble]).usual == 1
    assert chart(clusters, axis(clusters, NOW), troubles=()).usual == 0


def outcome_of(**placed: Sequence[Placement]) -> tuple[str, str]:
    """What is said of one test with these copies at these providers."""
    clusters = [
        Cluster(1, NOW, provider, p, p, False, 1, NOW)
        for provider in placed
        for p in placed[provider]
    ]
    told = outcome(views_of_a_test(clusters, str.title))
    return told.look, told.sentence


@pytest.mark.parametrize(
    ("placed", "look", "sentence"),
    [
        ({"gmail": [P.INBOX, P.TAB]}, "good", "All 2 copies arrived."),
        ({"gmail": [P.INBOX]}, "good", "The one copy arrived."),
        (
            {"gmail": [P.INBOX, P.PENDING]},
            "good",
            "1 copy was seen so far, and arrived. 1 copy was not seen yet.",
        ),
        (
            {"gmail": [P.INBOX] * 8, "yahoo": [P.SPAM] * 2 + [P.REMOVED] * 3},
            "bad",
            (
                "8 of 13 copies arrived; 3 were removed after delivery at Yahoo and "
                "2 went to spam at Yahoo."
            ),
        ),
        (
            {"gmail": [P.INBOX] * 8, "yahoo": [P.REMOVED]},
            "mixed",
            "8 of 9 copies arrived; 1 was removed after delivery at Yahoo.",
        ),
        (
            {"a": [P.SPAM], "b": [P.SPAM], "c": [P.SPAM], "d": [P.MISSING] * 2},
            "bad",
            "0 of 5 copies arrived; 3 went to spam at 3 providers and 2 are missing at D.",
        ),
        (
            {"a": [P.SPAM], "b": [P.SPAM], "c": [P.SPAM]},
            "bad",
            "0 of 3 copies arrived; 3 went to spam at all 3 providers.",
        ),
        (
            {"a": [P.UNKNOWN, P.PENDING, P.PENDING]},
            "none",
            "Nothing is known yet: 2 copies were not seen yet and 1 copy could not be looked for.",
        ),
        ({}, "none", "Nothing is known yet."),
    ],
)
def test_what_came_of_a_test_is_one_sentence(
    placed: dict[str, list[Placement]], look: str, sentence: str
) -> None:
    assert outcome_of(**placed) == (look, sentence)


@given(
    st.dictionaries(
        st.sampled_from(["gmail", "gmx", "yahoo"]), st.lists(st.sampled_from(P), max_size=6)
    )
)
def test_only_a_test_whose_copies_all_arrived_is_called_good(
    placed: dict[str, list[Placement]],
) -> None:
    seen = [p for copies in placed.values() for p in copies if p.is_decided]
    is_good = bool(seen) and all(p.is_arrived for p in seen)
    assert (outcome_of(**placed)[0] == "good") == is_good


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("since 2026-03-02 12:00 UTC.", "since 2 Mar 2026, 12:00 UTC."),
        ("<b>2026-13-41 99:99 UTC", "&lt;b&gt;2026-13-41 99:99 UTC"),
    ],
)
def test_times_in_sentences_read_as_elsewhere_unless_they_are_none(
    sentence: str, expected: str
) -> None:
    shown = re.sub("</?(bdi|time)[^>]*>", "", spoken(sentence))
    assert shown == expected
