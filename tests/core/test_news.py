"""What of an incident's event is new to whom."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.core.incidents import Cause, Direction, IncidentEvent, State
from monitor.core.news import Kind, News, Told, news, reminder, severity
from monitor.core.routes import Severity
from tests.steps.stories import event

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVENT = event(NOW)


def tell(*story: IncidentEvent, is_before: bool = False) -> list[News]:
    """What a route is told of a whole story."""
    told: list[Told] = []
    found = []
    for said in story:
        new = news(said, told, is_before=is_before)
        if new is not None:
            found.append(new)
            is_end = new.kind is Kind.CLOSED
            subject = (said.cause, said.provider, said.feature)
            told.append(Told(new.topic, *subject, len(said.hit), is_end, is_before))
    return found


def kinds(*story: IncidentEvent) -> list[Kind]:
    return [new.kind for new in tell(*story)]


def hitting(count: int) -> IncidentEvent:
    return replace(EVENT, hit=tuple(f"s{n}.example" for n in range(count)))


def test_an_incident_is_opened_once_and_closed_once() -> None:
    closed = replace(EVENT, state=State.CLOSED)
    assert kinds(EVENT, EVENT, closed, closed) == [Kind.OPENED, Kind.CLOSED]


def test_a_suspicion_and_a_recovery_that_may_turn_are_no_news() -> None:
    suspected, recovering = State.SUSPECTED, State.RECOVERING
    assert kinds(replace(EVENT, state=suspected), replace(EVENT, state=recovering)) == []


def test_nobody_hears_of_the_end_of_what_they_never_heard_of() -> None:
    assert kinds(replace(EVENT, state=State.CLOSED)) == []


def test_an_incident_widens_when_the_senders_that_are_hit_have_doubled() -> None:
    told = tell(hitting(3), hitting(5), hitting(6), hitting(11), hitting(12))
    assert [new.topic for new in told[1:]] == ["widened/6", "widened/12"]


def test_an_incident_widens_when_another_provider_or_all_regions_join() -> None:
    regional = replace(EVENT, cause=Cause.PROVIDER, feature="region:eu")
    everywhere = replace(regional, feature=None)
    elsewhere = replace(everywhere, provider="gmail")
    assert kinds(regional, everywhere, elsewhere) == [Kind.OPENED, Kind.WIDENED, Kind.WIDENED]


def test_a_cause_or_a_feature_that_is_named_anew_is_a_change() -> None:
    renamed = replace(EVENT, feature="url:other.example.net")
    blamed = replace(EVENT, cause=Cause.PROVIDER, feature=None)
    told = tell(EVENT, renamed, blamed)
    assert [new.kind for new in told] == [Kind.OPENED, Kind.CHANGED, Kind.CHANGED]
    assert len({new.topic for new in told}) == 3


def test_the_last_word_is_the_present_one_though_it_was_said_before() -> None:
    other = replace(EVENT, cause=Cause.PROVIDER, feature=None)
    told = tell(EVENT, other, EVENT)
    assert [new.kind for new in told] == [Kind.OPENED, Kind.CHANGED, Kind.CHANGED]
    assert told[2].topic == f"{told[0].topic}#2"


def test_who_was_told_to_hold_mail_is_told_anew_when_it_is_hit() -> None:
    (warned,) = tell(EVENT, is_before=True)
    before = Told(warned.topic, EVENT.cause, EVENT.provider, EVENT.feature, 1, is_before=True)
    assert news(EVENT, [before], is_before=True) is None
    hit = news(EVENT, [before])
    assert hit is not None
    assert (hit.kind, hit.topic == warned.topic) == (Kind.OPENED, False)


def test_a_long_feature_makes_a_topic_that_fits_and_is_its_own() -> None:
    long = [replace(EVENT, feature="url:" + "x" * 280 + end) for end in ("a", "b")]
    topics = [new.topic for new in tell(*long)]
    assert len(set(topics)) == 2
    assert max(map(len, topics)) <= 200


def test_reminders_are_counted() -> None:
    first = reminder(EVENT, [Told("confirmed/provider", Cause.PROVIDER)])
    second = reminder(EVENT, [Told(first.topic, Cause.PROVIDER)])
    assert (first.topic, second.topic) == ("reminder/1", "reminder/2")


@pytest.mark.parametrize(
    ("said", "urgency"),
    [
        (EVENT, Severity.CRITICAL),
        (replace(EVENT, cause=Cause.ESP), Severity.CRITICAL),
        (replace(EVENT, cause=Cause.SENDER), Severity.CRITICAL),
        (replace(EVENT, cause=Cause.SENDER_AT_PROVIDER), Severity.WARNING),
        (replace(EVENT, state=State.SUSPECTED), Severity.WARNING),
        (replace(EVENT, gauge="scl"), Severity.WARNING),
        (replace(EVENT, direction=Direction.BETTER), Severity.INFO),
        (replace(EVENT, state=State.CLOSED), Severity.INFO),
    ],
)
def test_what_hits_everybody_is_critical(said: IncidentEvent, urgency: Severity) -> None:
    assert severity(said) is urgency
