"""Each kind of trouble, alone in a small world, gets its own name and nobody else's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from monitor.core.incidents import Cause, Incident, IncidentEvent, State, fold
from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge.judge import Judge
from tests.judge.worlds import LINK, START, Mail, Trouble, World, at, judged, senders

PROVIDERS = ("gmail", "outlook", "microsoft365", "yahoo", "icloud")
LOOKS = (timedelta(minutes=32), timedelta(minutes=62))
ONSET = at(10)


def world(*troubles: Trouble, **changes: object) -> World:
    settings = {"providers": PROVIDERS, "looks": LOOKS} | changes
    return World(troubles=troubles, **settings)  # type: ignore[arg-type]


def trouble(
    hits: Callable[[Mail], bool], placement: Placement = Placement.SPAM, **more: object
) -> Trouble:
    return Trouble(hits, placement, begins=ONSET, **more)  # type: ignore[arg-type]


def stories(events: list[IncidentEvent]) -> list[Incident]:
    ids = dict.fromkeys(event.incident for event in events)
    return [fold(e for e in events if e.incident == name) for name in ids]


def confirmed(events: list[IncidentEvent]) -> list[IncidentEvent]:
    """The last word on every incident that was confirmed."""
    return [s.latest for s in stories(events) if State.CONFIRMED in s.states]


def places(events: list[IncidentEvent]) -> list[tuple[str | None, ...]]:
    return [(e.cause, e.provider, e.feature, e.sender, e.esp, e.seed) for e in confirmed(events)]


def at_yahoo(mail: Mail) -> bool:
    return mail.provider == "yahoo"


def test_a_healthy_world_has_no_incident() -> None:
    assert judged(world().observations(at(20))) == []


def test_five_stray_copies_in_a_hundred_are_no_incident() -> None:
    assert confirmed(judged(world(stray=0.05).observations(at(20)))) == []


@pytest.mark.parametrize(
    "placement",
    [Placement.SPAM, Placement.QUARANTINE, Placement.REJECTED, Placement.MISSING],
)
def test_a_provider_that_turns_on_everybody_is_named(placement: Placement) -> None:
    events = judged(world(trouble(at_yahoo, placement)).observations(at(14)))

    assert places(events) == [(Cause.PROVIDER, "yahoo", None, None, None, None)]
    assert len(confirmed(events)[0].hit) == 10


def test_mail_removed_after_delivery_is_held_against_the_provider() -> None:
    removal = trouble(at_yahoo, Placement.REMOVED, after=timedelta(minutes=40))

    events = judged(world(removal).observations(at(14)))

    assert places(events) == [(Cause.PROVIDER, "yahoo", None, None, None, None)]
    assert "removing mail after delivery" in confirmed(events)[0].sentence


def test_a_provider_that_turns_on_one_link_is_named_with_the_link() -> None:
    events = judged(world(trouble(lambda m: at_yahoo(m) and m.has_link)).observations(at(14)))

    assert places(events) == [(Cause.PROVIDER_FEATURE, "yahoo", LINK, None, None, None)]


def test_a_provider_that_turns_on_one_region_is_named_with_the_region() -> None:
    eu = {"seed0", "seed3", "seed6", "seed9"}
    regional = trouble(lambda m: at_yahoo(m) and m.seed in eu)
    regions = ("eu", "us", "apac")

    events = judged(world(regional, seeds=12, regions=regions).observations(at(14)))

    assert places(events) == [(Cause.PROVIDER_FEATURE, "yahoo", "region:eu", None, None, None)]


def test_a_provider_that_takes_part_of_the_copies_is_named_and_does_not_seem_to_recover() -> None:
    events = judged(world(trouble(at_yahoo, share=0.4)).observations(at(22)))

    assert places(events) == [(Cause.PROVIDER, "yahoo", None, None, None, None)]
    assert confirmed(events)[0].state is State.CONFIRMED


def test_two_providers_in_trouble_are_two_incidents() -> None:
    wide = trouble(at_yahoo)
    link = trouble(lambda m: m.provider == "gmail" and m.has_link, Placement.QUARANTINE)

    events = judged(world(wide, link).observations(at(16)))

    assert sorted(places(events)) == [
        (Cause.PROVIDER, "yahoo", None, None, None, None),
        (Cause.PROVIDER_FEATURE, "gmail", LINK, None, None, None),
    ]


def test_a_provider_that_turns_bad_again_is_a_second_incident() -> None:
    first = Trouble(at_yahoo, Placement.SPAM, at(10), at(14))
    second = Trouble(at_yahoo, Placement.SPAM, at(26))

    events = judged(world(first, second).observations(at(30)))

    assert [s.states[-1] for s in stories(events)] == [State.CLOSED, State.CONFIRMED]


def test_a_provider_that_turns_bad_while_it_recovers_is_the_same_incident() -> None:
    first = Trouble(at_yahoo, Placement.SPAM, at(10), at(14))
    second = Trouble(at_yahoo, Placement.SPAM, at(16))

    events = judged(world(first, second).observations(at(20)))

    assert [s.states[-3:] for s in stories(events)] == [
        (State.CONFIRMED, State.RECOVERING, State.CONFIRMED)
    ]


def test_a_sender_that_fails_everywhere_is_named_and_no_provider() -> None:
    own = trouble(lambda m: m.sender.name == "s3.example.org")

    events = judged(world(own).observations(at(20)))

    assert places(events) == [(Cause.SENDER, None, None, "s3.example.org", None, None)]


def test_a_sender_that_fails_at_one_provider_is_named_with_it() -> None:
    own = trouble(lambda m: at_yahoo(m) and m.sender.name == "s3.example.org")

    events = judged(world(own).observations(at(20)))

    assert places(events) == [
        (Cause.SENDER_AT_PROVIDER, "yahoo", None, "s3.example.org", None, None)
    ]


def test_a_sender_that_has_recovered_is_not_accused_of_the_same_mail_again() -> None:
    """Later, one more of its campaigns fails: that is one campaign."""

    def own(mail: Mail) -> bool:
        return mail.sender.name == "s3.example.org"

    healed = Trouble(own, Placement.SPAM, at(10), at(22))
    once = Trouble(own, Placement.SPAM, at(50), at(52))

    events = judged(world(healed, once).observations(at(60)))

    assert [(s.latest.cause, s.latest.state) for s in stories(events)[:1]] == [
        (Cause.SENDER, State.CLOSED)
    ]
    assert len(confirmed(events)) == 1


def test_a_case_is_not_told_again_for_every_sender_that_is_hit() -> None:
    events = judged(world(trouble(at_yahoo)).observations(at(20)))

    told = [event.at for event in events if event.state is State.CONFIRMED]
    assert len(told) > 1
    assert all(later - earlier >= timedelta(hours=1) for earlier, later in pairwise(told[1:]))


def test_one_bad_campaign_is_suspected_and_forgotten() -> None:
    once = Trouble(lambda m: m.sender.name == "s3.example.org", Placement.SPAM, at(10), at(12))

    events = judged(world(once).observations(at(20)))

    assert [(s.latest.cause, s.states) for s in stories(events)] == [
        (Cause.CONTENT, (State.SUSPECTED, State.CLOSED))
    ]


def test_a_link_that_fails_everywhere_is_content_and_no_provider() -> None:
    listed = trouble(lambda m: m.has_link)

    events = judged(world(listed, senders=senders(12, 6)).observations(at(14)))

    assert places(events) == [(Cause.CONTENT, None, LINK, None, None, None)]


def test_a_sender_blamed_at_first_is_cleared_when_others_follow() -> None:
    """The senders' suspicions end as parts of the wider incident."""
    listed = trouble(lambda m: m.has_link)

    events = judged(world(listed, senders=senders(12, 6)).observations(at(14)))

    parts = [s for s in stories(events) if s.latest.sender is not None]
    assert parts
    assert {s.states for s in parts} == {(State.SUSPECTED, State.CLOSED)}
    assert all(s.latest.part_of and s.latest.until is None for s in parts)
    assert all("See the wider incident" in s.latest.sentence for s in parts)


def test_a_sending_service_that_loses_mail_is_named() -> None:
    outage = trouble(lambda m: "esp:esp1" in m.sender.features, Placement.MISSING)

    events = judged(world(outage, senders=senders(15, 0)).observations(at(14)))

    assert places(events) == [(Cause.ESP, None, None, None, "esp1", None)]


def test_when_all_mail_is_missing_everywhere_it_is_the_monitor() -> None:
    outage = trouble(lambda _: True, Placement.MISSING, ends=at(16))

    events = judged(world(outage).observations(at(24)))

    assert places(events) == [(Cause.MONITOR, None, None, None, None, None)]
    assert confirmed(events)[0].state is State.CLOSED


def test_when_no_mailbox_can_be_read_it_is_the_monitor() -> None:
    blind = trouble(lambda _: True, Placement.UNKNOWN, ends=at(16))

    events = judged(world(blind).observations(at(24)))

    assert places(events) == [(Cause.MONITOR, None, None, None, None, None)]
    assert confirmed(events)[0].state is State.CLOSED


def test_one_dead_seed_is_an_incident_of_the_seed_alone() -> None:
    dead = trouble(lambda m: at_yahoo(m) and m.seed == "seed2", Placement.MISSING, ends=at(16))

    events = judged(world(dead).observations(at(20)))

    assert places(events) == [(Cause.SEED, "yahoo", None, None, None, "seed2@yahoo.example")]
    assert {event.cause for event in events} == {Cause.SEED}
    assert confirmed(events)[0].state is State.CLOSED


def test_a_seed_that_breaks_while_tests_overlap_is_told_by_its_last_loss() -> None:
    """The test that was heard of first is seen last at the provider, after a copy that came."""
    judge, events = Judge(), []
    calm = World(senders=senders(2), providers=("gmail", "yahoo"), looks=LOOKS[:1])
    stream = calm.observations(at(12))

    def at_yahoo_now(seen: Observation, places: dict[str, Placement]) -> Observation:
        found = {f"{seed}@yahoo.example": place for seed, place in places.items()}
        return replace(seen, placements={**seen.placements, **found})

    *early, last = [seen for seen in stream if seen.provider == "yahoo"][:4]
    for seen in early[:2]:
        events += judge.observe(at_yahoo_now(seen, {"seed1": Placement.MISSING}))
    other = next(s for s in stream if s.provider == "gmail" and s.test == early[2].test)
    events += judge.observe(replace(other, at=early[1].at))
    bad = {"seed0": Placement.SPAM, "seed2": Placement.SPAM}
    events += judge.observe(at_yahoo_now(last, bad))
    assert events == []

    events += judge.observe(
        at_yahoo_now(replace(early[2], at=last.at), {"seed1": Placement.MISSING})
    )

    assert [(e.cause, e.seed) for e in events] == [(Cause.SEED, "seed1@yahoo.example")]


@pytest.mark.parametrize("providers", [("yahoo",), PROVIDERS])
def test_with_one_sender_it_is_left_open_whose_fault_it_is(providers: tuple[str, ...]) -> None:
    alone = world(trouble(at_yahoo), senders=senders(1), providers=providers)

    events = judged(alone.observations(at(20)))

    assert [event.cause for event in confirmed(events)] == [Cause.INSUFFICIENT]
    assert "not enough mail of others" in confirmed(events)[0].sentence


def test_quiet_time_ends_an_incident_that_was_recovering() -> None:
    """Nobody mails any more: twelve hours without a relapse are enough."""
    judge = Judge()
    healed = world(Trouble(at_yahoo, Placement.SPAM, at(10), at(14)))
    events = judged(healed.observations(at(15)), judge)

    early = judge.tick(START + at(20))
    late = judge.tick(START + at(30))

    assert events[-1].state is State.RECOVERING
    assert early == []
    assert [event.state for event in late] == [State.CLOSED]


def test_an_incident_that_nobody_mails_into_is_closed_after_a_week() -> None:
    judge = Judge()
    events = judged(world(trouble(at_yahoo)).observations(at(14)), judge)

    late = judge.tick(START + at(14 + 24 * 8))

    assert events[-1].state is State.CONFIRMED
    assert [event.state for event in late] == [State.CLOSED]
    assert "no mail for a week" in late[0].reason
