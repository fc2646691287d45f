"""Who is told of what, and once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from monitor.core.incidents import Cause, Direction, State
from monitor.core.routes import Audience, Severity
from monitor.steps.remind import remind
from monitor.steps.survive import plan
from monitor.store import incidents
from monitor.store.columns import saved
from monitor.store.route_tables import AcknowledgementRow, AudienceRow
from monitor.store.schedules import Plan, put_schedule
from monitor.store.tables import CampaignRow, SenderRow
from monitor.store.verdict_tables import AlertRow
from monitor.store.work_tables import JobRow
from tests.steps.stories import event
from tests.steps.telling import (
    DOMAIN,
    Channel,
    add_route,
    add_sender,
    deliver,
    happens,
    hitting,
    owe,
    the_route,
    topics,
)
from tests.steps.world import PROVIDER, World

EVERYBODY = ("news.example.org", "calm.example.org")
OPENED = "confirmed/provider_feature/url:lnk.example.net"


def addresses(world: World, alerts: list[AlertRow]) -> list[str]:
    """Whom these alerts reach when they are delivered."""
    channel = Channel()
    for alert in alerts:
        deliver(world, alert, channel)
    return channel.to


def test_a_sender_who_is_hit_is_told_and_one_who_is_spared_is_not(world: World) -> None:
    add_sender(world, "calm.example.org")
    assert addresses(world, happens(world, event(world.clock.now()))) == ["team@news.example.org"]


def test_a_suspicion_is_not_told(world: World) -> None:
    assert happens(world, event(world.clock.now(), state=State.SUSPECTED)) == []


def test_a_broken_seed_is_no_business_of_the_senders(world: World) -> None:
    assert happens(world, event(world.clock.now(), cause=Cause.SEED)) == []


def test_the_same_state_is_told_once_however_often_it_is_said(world: World) -> None:
    assert topics(happens(world, event(world.clock.now()))) == [OPENED]
    assert happens(world, event(world.clock.now())) == []


def test_who_is_hit_later_is_told_then_that_it_opened_and_the_others_that_it_widened(
    world: World,
) -> None:
    happens(world, event(world.clock.now()))
    add_sender(world, "calm.example.org")
    wider = happens(world, event(world.clock.now(), hit=EVERYBODY))
    assert topics(wider) == [OPENED, "widened/2"]
    assert happens(world, event(world.clock.now(), hit=EVERYBODY)) == []


def test_a_new_cause_is_told_again(world: World) -> None:
    happens(world, event(world.clock.now(), cause=Cause.SENDER, sender="news.example.org"))
    (changed,) = happens(world, event(world.clock.now()))
    assert changed.body["news"] == "changed"


def test_the_end_is_told_to_those_who_heard_of_the_beginning(world: World) -> None:
    (opened,) = happens(world, event(world.clock.now()))
    deliver(world, opened, Channel())
    add_sender(world, "calm.example.org")
    owed = happens(world, event(world.clock.now(), state=State.CLOSED, hit=EVERYBODY))
    assert addresses(world, owed) == ["team@news.example.org"]


def test_the_end_is_told_although_the_incident_was_named_anew_since(world: World) -> None:
    """Its victims are others by then, or it cannot be told any more whose fault it was."""
    add_sender(world, "calm.example.org")
    (opened,) = happens(world, event(world.clock.now()))
    deliver(world, opened, Channel())
    left_open = event(world.clock.now(), cause=Cause.INSUFFICIENT, hit=("calm.example.org",))
    assert happens(world, left_open) == []
    ended = happens(world, replace(left_open, state=State.CLOSED))
    assert addresses(world, ended) == ["team@news.example.org"]


def test_nobody_hears_of_the_end_of_what_they_never_heard_of(world: World) -> None:
    happens(world, event(world.clock.now()))  # owed, and not delivered
    assert happens(world, event(world.clock.now(), state=State.CLOSED)) == []


def test_what_is_said_late_of_an_earlier_moment_is_no_news(world: World) -> None:
    """Two turns of the judge may be told in either order."""
    earlier = incidents.append(world.session, event(world.clock.now(), cause=Cause.PROVIDER))
    happens(world, event(world.clock.now()))
    assert owe(world, saved(earlier.id)) == []


def test_a_sender_incident_is_told_to_that_sender_alone(world: World) -> None:
    add_sender(world, "calm.example.org")
    told = event(world.clock.now(), cause=Cause.SENDER, sender="calm.example.org", hit=EVERYBODY)
    assert addresses(world, happens(world, told)) == ["team@calm.example.org"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("confirmed_at", None),
        ("audience", Audience.OPERATOR),
        ("causes", ["sender"]),
    ],
)
def test_a_route_that_did_not_agree_or_wants_other_things_is_not_told(
    world: World, field: str, value: object
) -> None:
    setattr(the_route(world), field, value)
    assert happens(world, event(world.clock.now())) == []


def test_a_suspended_route_is_not_told(world: World) -> None:
    the_route(world).suspended_at = world.clock.now()
    assert happens(world, event(world.clock.now())) == []


def test_a_route_hears_only_what_is_urgent_enough_for_it(world: World) -> None:
    the_route(world).least = Severity.CRITICAL
    better = replace(event(world.clock.now()), direction=Direction.BETTER)
    assert happens(world, better) == []
    (owed,) = happens(world, event(world.clock.now(), incident="inc-2"))
    assert owed.severity is Severity.CRITICAL


def test_nobody_hears_of_a_domain_that_is_not_proven_to_be_their_own(world: World) -> None:
    add_sender(world, "claimed.example.org", is_proven=False)
    told = hitting(event(world.clock.now()), "claimed.example.org")
    assert happens(world, told) == []
    assert len(happens(world, told, must_prove=False)) == 1


def test_a_route_of_the_whole_organisation_hears_of_all_its_senders(world: World) -> None:
    the_route(world).sender_id = None
    add_sender(world, "calm.example.org")
    owed = happens(world, hitting(event(world.clock.now()), "calm.example.org"))
    assert addresses(world, owed) == ["team@news.example.org", "team@calm.example.org"]


def campaign_of(world: World, sender: SenderRow, text: str) -> CampaignRow:
    campaign = CampaignRow(
        organisation_id=sender.organisation_id,
        sender_id=saved(sender.id),
        name="April letter",
        from_address=f"hello@{sender.from_domain}",
        subject="April",
        text=text,
    )
    world.session.add(campaign)
    world.session.commit()
    return campaign


def mails(world: World, sender: SenderRow, link: str) -> None:
    """Send a test of the sender's that links to *link*."""
    kept, world.campaign = world.campaign, campaign_of(world, sender, f"See https://{link}/april")
    world.new_test(sender.key)
    world.campaign = kept


def test_who_carries_the_blamed_link_and_has_not_mailed_since_is_told_to_hold(
    world: World,
) -> None:
    calm, other = add_sender(world, "calm.example.com"), add_sender(world, "other.example.com")
    mails(world, calm, "lnk.example.net")
    mails(world, other, "harmless.example.net")
    world.later(days=2)
    told = event(world.clock.now())
    owed = happens(world, told)
    assert [alert.body.get("before", False) for alert in owed] == [False, True]
    assert addresses(world, owed) == ["team@news.example.org", "team@calm.example.com"]
    assert happens(world, told) == []
    hit = happens(world, hitting(told, "news.example.org", "calm.example.com"))
    assert [alert.body["news"] for alert in hit] == ["opened", "widened"]
    assert not any(alert.body.get("before") for alert in hit)


def test_who_has_mailed_there_since_it_began_is_not_told_to_hold(world: World) -> None:
    mails(world, add_sender(world, "calm.example.com"), "lnk.example.net")
    told = replace(event(world.clock.now()), provider=PROVIDER)
    assert len(happens(world, told)) == 1


def test_who_has_tests_at_a_provider_that_is_down_is_told_to_hold(world: World) -> None:
    mails(world, add_sender(world, "recent.example.com"), "any.example.net")
    planned = add_sender(world, "planned.example.com")
    add_sender(world, "elsewhere.example.com")
    campaign = campaign_of(world, planned, "Soon")
    plan = Plan("start", "every 2h", {"campaign": campaign.id, "seed_list": "default"})
    put_schedule(world.session, planned.organisation_id, "soon", plan, now=world.clock.now())
    world.later(days=2)
    down = replace(event(world.clock.now(), cause=Cause.PROVIDER), provider=PROVIDER)
    told = addresses(world, happens(world, down))
    assert told[1:] == ["team@recent.example.com", "team@planned.example.com"]


def test_who_was_told_to_hold_is_told_when_it_is_over(world: World) -> None:
    mails(world, add_sender(world, "calm.example.com"), "lnk.example.net")
    world.later(days=2)
    addresses(world, happens(world, event(world.clock.now())))
    ended = happens(world, event(world.clock.now(), state=State.CLOSED))
    assert [alert.body.get("before", False) for alert in ended] == [False, True]


def test_an_alert_holds_what_is_known_when_it_is_owed(world: World) -> None:
    test, now = world.new_test(), world.clock.now()
    organisation = world.campaign.organisation_id
    sender_id = world.campaign.sender_id
    counted = [
        (None, "microsoft365", 10),
        (sender_id, "microsoft365", 31),
        (sender_id, "unknown", 5),
    ]
    for sender, provider, recipients in counted:
        world.session.add(
            AudienceRow(
                organisation_id=organisation,
                sender_id=sender,
                provider=provider,
                recipients=recipients,
                total=100,
                measured_at=now,
            )
        )
    known = AcknowledgementRow(organisation_id=organisation, incident="inc-1", at=now, by="ann")
    world.session.add(known)
    (owed,) = happens(world, replace(event(now), tests=(test.uid, "somebody-else's")))
    assert owed.body == {
        "news": "opened",
        "hit": 1,
        "exposure": {
            "provider": "microsoft365",
            "recipients": 31,
            "unknown": 5,
            "total": 100,
            "share": 0.31,
            "measured_at": now.isoformat(),
        },
        "tests": [{"uid": test.uid, "name": "March letter"}],
        "acknowledged": {"by": "ann", "at": now.isoformat(), "until": None},
    }


def test_quiet_hours_hold_what_is_not_critical_and_bring_it_up_to_date(world: World) -> None:
    route, now = the_route(world), world.clock.now()
    route.quiet_from, route.quiet_to = "00:00", "23:59"
    at_one = replace(event(now, cause=Cause.SENDER_AT_PROVIDER), sender="news.example.org")
    (held,) = happens(world, at_one)
    assert (held.due_at.hour, held.due_at.minute) == (23, 59)
    plan(world.session, [held])
    assert happens(world, at_one) == [held]
    deliver(world, held, Channel())
    assert held.attempts == 0
    told = happens(world, event(now))
    assert told == [held]  # the one that waited tells it now
    plan(world.session, told)
    looked_after = world.session.exec(select(JobRow).where(JobRow.kind == "survive")).one()
    assert looked_after.due_at == now  # and is looked after now
    row = world.session.exec(select(AlertRow)).one()
    assert (row.topic, row.due_at, row.body["news"]) == (OPENED, now, "opened")
    assert addresses(world, [row]) == ["team@news.example.org"]


def remind_now(world: World) -> list[AlertRow]:
    owed = remind(world.session, alert_domain=DOMAIN, clock=world.clock)
    world.session.commit()
    return owed


def test_people_are_reminded_until_somebody_acknowledges(world: World) -> None:
    addresses(world, happens(world, event(world.clock.now())))
    world.later(hours=23)
    assert remind_now(world) == []
    world.later(hours=1)
    reminders = remind_now(world)
    assert topics(reminders) == ["reminder/1"]
    assert remind_now(world) == []
    addresses(world, reminders)
    world.later(hours=24)
    snoozed = AcknowledgementRow(
        organisation_id=world.campaign.organisation_id,
        incident="inc-1",
        at=world.clock.now(),
        until=world.clock.now() + timedelta(hours=4),
    )
    world.session.add(snoozed)
    assert remind_now(world) == []
    world.later(hours=4)
    assert topics(remind_now(world)) == ["reminder/2"]


def test_nobody_is_reminded_of_what_is_over_or_of_what_they_do_not_want_to_be(
    world: World,
) -> None:
    add_route(world, "second@news.example.org", remind_hours=0)
    addresses(world, happens(world, event(world.clock.now())))
    happens(world, event(world.clock.now(), incident="inc-2"))
    happens(world, event(world.clock.now(), incident="inc-2", state=State.CLOSED))
    world.later(days=2)
    assert [(alert.incident, alert.route_id) for alert in remind_now(world)] == [("inc-1", 1)]
