"""How an alert is delivered: once, again, elsewhere, or visibly not."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from monitor.core.errors import AgainLaterError, InDoubtError, PersonNeededError
from monitor.core.incidents import State
from monitor.core.routes import About, Severity
from monitor.steps.tell import ATTEMPTS
from monitor.store import alerts, deliveries
from monitor.store.columns import saved
from monitor.store.verdict_tables import AlertRow
from tests.steps.stories import event
from tests.steps.telling import (
    DOMAIN,
    Channel,
    add_route,
    deliver,
    happens,
    the_route,
    work_due,
)
from tests.steps.world import World

BUSY = AgainLaterError("the server is busy.")


@pytest.fixture
def owed(world: World) -> AlertRow:
    (alert,) = happens(world, event(world.clock.now()))
    return alert


def outcomes(world: World, alert: AlertRow) -> list[str]:
    return [one.outcome for one in deliveries.attempts(world.session, saved(alert.id))]


def dies(world: World, alert: AlertRow) -> None:
    """The program dies while it hands the alert over."""
    with pytest.raises(KeyboardInterrupt):
        deliver(world, alert, Channel(KeyboardInterrupt(), is_repeatable=True))
    world.session.rollback()


def test_telling_twice_delivers_once_and_keeps_what_the_other_side_said(
    world: World, owed: AlertRow
) -> None:
    channel = Channel()
    deliver(world, owed, channel)
    deliver(world, owed, channel)
    assert len(channel.told) == 1
    (attempt,) = deliveries.attempts(world.session, saved(owed.id))
    assert (attempt.outcome, attempt.said) == ("delivered", "taken")


def test_later_alerts_of_an_incident_answer_the_first(world: World, owed: AlertRow) -> None:
    channel = Channel()
    deliver(world, owed, channel)
    (closed,) = happens(world, event(world.clock.now(), state=State.CLOSED))
    deliver(world, closed, channel)
    assert channel.told[1].in_reply_to == channel.told[0].message_id


def test_nobody_hears_of_a_beginning_once_it_is_over(world: World, owed: AlertRow) -> None:
    """Its end would never be told: there was nobody to tell it to when it came."""
    happens(world, event(world.clock.now(), state=State.CLOSED))
    channel = Channel()
    deliver(world, owed, channel)
    assert channel.told == []
    assert "over before" in owed.error
    assert alerts.dead_letters(world.session, since=world.clock.now() - timedelta(1)) == []


def test_what_fails_for_now_is_tried_again_later_and_later(world: World, owed: AlertRow) -> None:
    waits = []
    for _ in range(4):
        deliver(world, owed, Channel(BUSY))
        (job,) = work_due(world)
        waits.append((job.due_at - world.clock.now()).total_seconds())
        world.clock.sleep(job.due_at - world.clock.now())
    assert waits == sorted(waits)
    assert 15 <= waits[0] <= 30
    channel = Channel()
    deliver(world, owed, channel)
    assert len(channel.told) == 1
    assert outcomes(world, owed) == ["later"] * 4 + ["delivered"]
    assert (owed.error, the_route(world).failures) == ("", 0)


def test_an_alert_is_not_tried_again_before_the_other_side_wants_it(
    world: World, owed: AlertRow
) -> None:
    deliver(world, owed, Channel(AgainLaterError("later.", retry_after=timedelta(hours=3))))
    assert owed.due_at == world.clock.now() + timedelta(hours=3)
    channel = Channel()
    deliver(world, owed, channel)
    assert channel.told == []


def fail(world: World, alert: AlertRow, times: int) -> None:
    for _ in range(times):
        world.clock.set(max(world.clock.now(), alert.due_at))
        deliver(world, alert, Channel(BUSY))


def test_a_route_that_fails_five_times_rests_and_one_trial_ends_it(
    world: World, owed: AlertRow
) -> None:
    others = [happens(world, event(world.clock.now(), incident=f"i{n}"))[0] for n in (2, 3)]
    fail(world, owed, 5)
    rests_until = the_route(world).rests_until
    assert rests_until == world.clock.now() + timedelta(minutes=5)
    channel = Channel()
    for other in others:
        deliver(world, other, channel)
    assert (channel.told, [other.attempts for other in others]) == ([], [0, 0])
    assert {job.due_at for job in work_due(world)} >= {rests_until}
    world.later(minutes=5)
    deliver(world, others[0], Channel(BUSY))
    deliver(world, others[1], channel)  # waits for what becomes of the trial, and longer now
    assert channel.told == []
    assert the_route(world).rests_until == world.clock.now() + timedelta(minutes=10)
    world.later(minutes=10)
    for other in others:
        deliver(world, other, channel)
    assert len(channel.told) == 2
    assert the_route(world).rests_until is None


def test_an_alert_that_fails_for_a_day_is_dead_and_shown(world: World, owed: AlertRow) -> None:
    owed.attempts = ATTEMPTS - 2
    fail(world, owed, 1)
    assert owed.dead_at is None
    fail(world, owed, 1)
    assert alerts.dead_letters(world.session, since=owed.created_at) == [owed]
    assert owed.error == "the server is busy."


def test_a_person_can_have_a_dead_alert_delivered_under_the_same_id(
    world: World, owed: AlertRow
) -> None:
    deliver(world, owed, Channel(InDoubtError("silence.")))
    message_id = owed.message_id
    alerts.again(world.session, owed, now=world.clock.now())
    channel = Channel()
    deliver(world, owed, channel)
    assert [alert.message_id for alert in channel.told] == [message_id]


def test_a_route_that_refuses_is_suspended_and_the_second_one_is_told(
    world: World, owed: AlertRow
) -> None:
    second = add_route(world, "second@elsewhere.example")
    the_route(world).second_id = second.id
    deliver(world, owed, Channel(PersonNeededError("no such mailbox.")))
    route = the_route(world)
    assert (route.suspended_at, route.suspended_why) == (world.clock.now(), "no such mailbox.")
    assert (owed.dead_at, owed.error) == (world.clock.now(), "no such mailbox.")
    passed_on = world.session.exec(select(AlertRow).where(AlertRow.route_id == second.id)).one()
    assert passed_on.body == {**owed.body, "instead_of": route.id}
    channel = Channel()
    deliver(world, passed_on, channel)
    assert channel.to == ["second@elsewhere.example"]
    assert happens(world, event(world.clock.now())) == []


def test_what_is_passed_on_waits_for_the_end_of_the_second_routes_quiet_hours(
    world: World, owed: AlertRow
) -> None:
    second = add_route(world, "second@elsewhere.example")
    second.quiet_from, second.quiet_to = "00:00", "23:59"
    the_route(world).second_id = second.id
    owed.severity = Severity.WARNING
    deliver(world, owed, Channel(PersonNeededError("no such mailbox.")))
    passed_on = world.session.exec(select(AlertRow).where(AlertRow.route_id == second.id)).one()
    assert (passed_on.due_at.hour, passed_on.due_at.minute) == (23, 59)


def test_what_was_passed_on_is_passed_on_no_further(world: World, owed: AlertRow) -> None:
    first, second = the_route(world), add_route(world, "second@elsewhere.example")
    first.second_id, second.second_id = second.id, first.id
    deliver(world, owed, Channel(InDoubtError("silence.")))
    passed_on = world.session.exec(select(AlertRow).where(AlertRow.route_id == second.id)).one()
    deliver(world, passed_on, Channel(InDoubtError("silence.")))
    assert len(world.session.exec(select(AlertRow)).all()) == 2


def test_mail_that_was_cut_off_is_in_doubt_and_not_repeated(world: World, owed: AlertRow) -> None:
    dies(world, owed)
    channel = Channel()
    deliver(world, owed, channel)
    assert channel.told == []
    assert "in doubt" in owed.error
    assert outcomes(world, owed) == ["in doubt"]


def test_whom_the_beginning_may_have_reached_hears_of_the_end(world: World, owed: AlertRow) -> None:
    dies(world, owed)
    deliver(world, owed, Channel())
    (closed,) = happens(world, event(world.clock.now(), state=State.CLOSED))
    channel = Channel()
    deliver(world, closed, channel)
    assert len(channel.told) == 1


def test_a_webhook_that_was_cut_off_is_repeated_under_the_same_id(
    world: World, owed: AlertRow
) -> None:
    the_route(world).kind = "webhook"
    dies(world, owed)
    channel = Channel(is_repeatable=True)
    deliver(world, owed, channel)
    assert [alert.message_id for alert in channel.told] == [owed.message_id]
    assert outcomes(world, owed) == ["cut off", "delivered"]


def test_a_handover_in_doubt_is_marked_and_not_repeated(world: World, owed: AlertRow) -> None:
    deliver(world, owed, Channel(InDoubtError("the server fell silent after the text.")))
    channel = Channel()
    deliver(world, owed, channel)
    assert channel.told == []
    assert owed.sent_at is None
    assert owed.error == "in doubt: the server fell silent after the text."


def test_a_kind_of_route_that_nobody_knows_is_dead_and_says_so(
    world: World, session: Session, owed: AlertRow
) -> None:
    the_route(world).kind = "pigeon"
    deliver(world, owed, Channel())
    assert "no alerter for routes of kind 'pigeon'" in owed.error


def test_a_route_that_has_not_agreed_is_asked_and_told_nothing_else(world: World) -> None:
    route = add_route(world, "new@news.example.org", confirmed_at=None)
    channel = Channel()
    for about in (About.CONFIRM, About.DIGEST):
        owing = alerts.Owing(saved(route.id), about, f"{about}:1", "1")
        row = alerts.owe(world.session, owing, domain=DOMAIN, now=world.clock.now())
        assert row is not None
        deliver(world, row, channel)
    assert [alert.message.subject for alert in channel.told] == ["1 for new@news.example.org"]
    assert "confirmed" in row.error


def test_what_a_person_asks_for_again_is_delivered_though_it_is_over(
    world: World, owed: AlertRow
) -> None:
    first = Channel()
    deliver(world, owed, first)
    happens(world, event(world.clock.now(), state=State.CLOSED))
    alerts.again(world.session, owed, now=world.clock.now())
    second = Channel()
    deliver(world, owed, second)
    assert [one.message_id for one in second.told] == [one.message_id for one in first.told]
    assert second.told[0].owed_at == owed.created_at
