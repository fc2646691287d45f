"""The demo's exit status is computed: every way in which the story can go wrong shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.core.incidents import Cause, Incident, State, fold
from monitor.demo.cast import BLAMED_LINK, HIT, IN_TROUBLE
from monitor.demo.story import Facts, ReadAlert, check
from tests.steps.stories import event

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LIFE = (State.SUSPECTED, State.CONFIRMED, State.RECOVERING, State.CLOSED)


def provider_incident(states: tuple[State, ...] = LIFE) -> Incident:
    return fold(
        replace(
            event(NOON + timedelta(hours=number), incident="provider", state=state),
            feature=f"url:{BLAMED_LINK}",
        )
        for number, state in enumerate(states)
    )


def sender_incident() -> Incident:
    told = event(NOON, incident="sender", cause=Cause.SENDER, sender=IN_TROUBLE, hit=(IN_TROUBLE,))
    return fold([told])


def right_mail() -> list[ReadAlert]:
    provider = [
        ReadAlert(player.route, "s", "provider", state, read_back=True)
        for player in HIT
        for state in (State.CONFIRMED, State.CLOSED)
    ]
    troubled = IN_TROUBLE.partition(".")[0] + "@inbox.lab.example"
    return [*provider, ReadAlert(troubled, "s", "sender", State.CONFIRMED, read_back=True)]


RIGHT = Facts(
    incidents=[provider_incident(), sender_incident()],
    alerts=right_mail(),
    removed_at=frozenset({"microsoft365"}),
    blocked_at=frozenset({"microsoft365"}),
    unsent=0,
)


def is_right(facts: Facts) -> bool:
    return all(one.holds for one in check(facts))


def test_the_story_as_it_should_be_is_right() -> None:
    assert is_right(RIGHT)


def test_without_the_providers_incident_it_is_wrong() -> None:
    assert not is_right(replace(RIGHT, incidents=[sender_incident()]))


def test_an_incident_that_never_closed_is_wrong() -> None:
    open_one = provider_incident((State.SUSPECTED, State.CONFIRMED))
    assert not is_right(replace(RIGHT, incidents=[open_one, sender_incident()]))


def test_one_incident_too_many_is_wrong() -> None:
    third = fold([event(NOON, incident="third", cause=Cause.PROVIDER)])
    assert not is_right(replace(RIGHT, incidents=[*RIGHT.incidents, third]))


def test_an_alert_that_was_sent_but_not_found_in_its_mailbox_is_wrong() -> None:
    first, *rest = right_mail()
    assert not is_right(replace(RIGHT, alerts=[replace(first, read_back=False), *rest]))


def test_an_alert_to_somebody_who_was_spared_is_wrong() -> None:
    stray = ReadAlert("tern@inbox.lab.example", "s", "provider", State.CONFIRMED, read_back=True)
    assert not is_right(replace(RIGHT, alerts=[*right_mail(), stray]))


def test_a_missing_recovery_mail_is_wrong() -> None:
    assert not is_right(replace(RIGHT, alerts=right_mail()[:1]))


def test_an_alert_that_is_still_owed_is_wrong() -> None:
    assert not is_right(replace(RIGHT, unsent=1))


def test_removal_at_a_healthy_provider_is_wrong() -> None:
    assert not is_right(replace(RIGHT, removed_at=frozenset({"microsoft365", "gmail"})))


def test_no_blocked_link_is_wrong() -> None:
    assert not is_right(replace(RIGHT, blocked_at=frozenset()))
