"""Who is told of what, and once."""

from dataclasses import dataclass, field, replace

import pytest
from sqlmodel import Session, select

from monitor.core.errors import AgainLaterError, InDoubtError, PersonNeededError, SeedwatchError
from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.core.ports import Alert, Message
from monitor.steps.tell import tell
from monitor.steps.warn import warn
from monitor.store import incidents
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.tables import SenderRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow
from tests.steps.stories import event
from tests.steps.world import World


@dataclass
class Channel:
    """An alerter that keeps what it was told, or fails as it is told to."""

    trouble: BaseException | None = None
    told: list[Alert] = field(default_factory=list)
    is_repeatable: bool = False

    def tell(self, alert: Alert) -> str:
        if self.trouble is not None:
            raise self.trouble
        self.told.append(alert)
        return "taken"


def happens(world: World, told: IncidentEvent) -> list[AlertRow]:
    """Write the event and owe its alerts."""
    row: IncidentEventRow = incidents.append(world.session, told)
    owed = warn(
        world.session,
        event_id=saved(row.id),
        alert_domain="alerts.example.net",
        clock=world.clock,
    )
    world.session.commit()
    return owed


def deliver(world: World, alert: AlertRow, channel: Channel) -> None:
    tell(
        world.session,
        alert_id=saved(alert.id),
        alerters={"email": channel},
        write=lambda said, to: Message(f"{said.state} for {to}", said.sentence, "<p>html</p>"),
        clock=world.clock,
    )
    world.session.commit()


def add_stranger(world: World) -> None:
    """A second sender of the organisation, with a route of its own."""
    stranger = SenderRow(
        organisation_id=world.campaign.organisation_id,
        key="calm.example.org",
        name="Calm",
        from_domain="calm.example.org",
        mail_from="b@calm.example.org",
    )
    world.session.add(stranger)
    world.session.flush()
    world.session.add(
        RouteRow(
            organisation_id=world.campaign.organisation_id,
            sender_id=stranger.id,
            address="team@calm.example.org",
        )
    )
    world.session.commit()


def test_a_sender_who_is_hit_is_told_and_one_who_is_spared_is_not(world: World) -> None:
    add_stranger(world)
    (owed,) = happens(world, event(world.clock.now()))
    channel = Channel()
    deliver(world, owed, channel)
    assert [alert.to for alert in channel.told] == ["team@news.example.org"]


def test_a_suspicion_is_not_told(world: World) -> None:
    assert happens(world, event(world.clock.now(), state=State.SUSPECTED)) == []


def test_a_broken_seed_is_no_business_of_the_senders(world: World) -> None:
    assert happens(world, event(world.clock.now(), cause=Cause.SEED)) == []


def test_the_same_state_is_told_once_however_often_it_is_said(world: World) -> None:
    assert len(happens(world, event(world.clock.now()))) == 1
    assert happens(world, event(world.clock.now())) == []


def test_who_is_hit_later_is_told_then_and_nobody_twice(world: World) -> None:
    """The same incident is said again whenever more senders are hit, or it is more certain."""
    happens(world, event(world.clock.now()))
    add_stranger(world)
    everybody = ("news.example.org", "calm.example.org")
    assert len(happens(world, event(world.clock.now(), hit=everybody))) == 1
    assert happens(world, event(world.clock.now(), hit=everybody)) == []


def test_a_new_cause_is_told_again(world: World) -> None:
    happens(world, event(world.clock.now(), cause=Cause.SENDER, sender="news.example.org"))
    assert len(happens(world, event(world.clock.now()))) == 1


def test_the_end_is_told_to_those_who_heard_of_the_beginning(world: World) -> None:
    (opened,) = happens(world, event(world.clock.now()))
    deliver(world, opened, Channel())
    add_stranger(world)
    everybody = ("news.example.org", "calm.example.org")
    owed = happens(world, event(world.clock.now(), state=State.CLOSED, hit=everybody))
    assert len(owed) == 1


def test_the_end_is_told_although_the_incident_was_named_anew_since(world: World) -> None:
    """Its victims are others by then, or it cannot be told any more whose fault it was."""
    add_stranger(world)
    (opened,) = happens(world, event(world.clock.now()))
    deliver(world, opened, Channel())
    left_open = event(world.clock.now(), cause=Cause.INSUFFICIENT, hit=("calm.example.org",))
    assert happens(world, left_open) == []
    channel = Channel()
    for owed in happens(world, replace(left_open, state=State.CLOSED)):
        deliver(world, owed, channel)
    assert [alert.to for alert in channel.told] == ["team@news.example.org"]


def test_nobody_hears_of_the_end_of_what_they_never_heard_of(world: World) -> None:
    happens(world, event(world.clock.now()))  # owed, and not delivered
    assert happens(world, event(world.clock.now(), state=State.CLOSED)) == []


def test_whom_the_beginning_may_have_reached_hears_of_the_end(
    world: World, session: Session
) -> None:
    (owed,) = happens(world, event(world.clock.now()))
    with pytest.raises(KeyboardInterrupt):  # the program dies while it hands the alert over
        deliver(world, owed, Channel(KeyboardInterrupt()))
    session.rollback()
    deliver(world, owed, Channel())
    (closed,) = happens(world, event(world.clock.now(), state=State.CLOSED))
    channel = Channel()
    deliver(world, closed, channel)
    assert len(channel.told) == 1


def test_nobody_hears_of_a_beginning_once_it_is_over(world: World, session: Session) -> None:
    """Its end would never be told: there was nobody to tell it to when it came."""
    (owed,) = happens(world, event(world.clock.now()))
    happens(world, event(world.clock.now(), state=State.CLOSED))
    channel = Channel()
    deliver(world, owed, channel)
    assert channel.told == []
    row = session.exec(select(AlertRow)).one()
    assert row.dead_at == world.clock.now()
    assert "over before" in row.error


def test_a_sender_incident_is_told_to_that_sender_alone(world: World) -> None:
    add_stranger(world)
    told = event(
        world.clock.now(),
        cause=Cause.SENDER,
        sender="calm.example.org",
        hit=("news.example.org", "calm.example.org"),
    )
    (owed,) = happens(world, told)
    channel = Channel()
    deliver(world, owed, channel)
    assert [alert.to for alert in channel.told] == ["team@calm.example.org"]


def test_telling_twice_delivers_once(world: World) -> None:
    (owed,) = happens(world, event(world.clock.now()))
    channel = Channel()
    deliver(world, owed, channel)
    deliver(world, owed, channel)
    assert len(channel.told) == 1


def test_later_alerts_of_an_incident_answer_the_first(world: World) -> None:
    channel = Channel()
    (opened,) = happens(world, event(world.clock.now()))
    deliver(world, opened, channel)
    (closed,) = happens(world, event(world.clock.now(), state=State.CLOSED))
    deliver(world, closed, channel)
    assert channel.told[1].in_reply_to == channel.told[0].message_id


def test_a_channel_that_fails_for_now_is_tried_again(world: World, session: Session) -> None:
    (owed,) = happens(world, event(world.clock.now()))
    with pytest.raises(AgainLaterError):
        deliver(world, owed, Channel(AgainLaterError("the server is busy")))
    channel = Channel()
    deliver(world, owed, channel)
    assert len(channel.told) == 1
    assert session.exec(select(AlertRow)).one().error == ""


@pytest.mark.parametrize("trouble", [PersonNeededError("no such mailbox.")])
def test_a_refused_alert_is_dead_and_says_why(
    world: World, session: Session, trouble: SeedwatchError
) -> None:
    (owed,) = happens(world, event(world.clock.now()))
    with pytest.raises(PersonNeededError):
        deliver(world, owed, Channel(trouble))
    row = session.exec(select(AlertRow)).one()
    assert row.dead_at == world.clock.now()
    assert row.error == "no such mailbox."


def test_an_alert_in_doubt_after_a_crash_is_not_repeated_and_is_shown(
    world: World, session: Session
) -> None:
    (owed,) = happens(world, event(world.clock.now()))
    with pytest.raises(KeyboardInterrupt):
        deliver(world, owed, Channel(KeyboardInterrupt()))
    session.rollback()
    channel = Channel()
    deliver(world, owed, channel)
    assert channel.told == []
    assert "in doubt" in session.exec(select(AlertRow)).one().error


def test_an_alert_whose_handover_is_in_doubt_is_marked_and_not_repeated(
    world: World, session: Session
) -> None:
    (owed,) = happens(world, event(world.clock.now()))
    deliver(world, owed, Channel(InDoubtError("the server fell silent after the text.")))
    channel = Channel()
    deliver(world, owed, channel)
    assert channel.told == []
    row = session.exec(select(AlertRow)).one()
    assert row.sent_at is None
    assert row.error == "in doubt: the server fell silent after the text."
