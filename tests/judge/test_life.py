"""The life of an incident: one id, few events, honest bounds, and an end that is one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from monitor.core.incidents import Cause, Incident, IncidentEvent, State, fold
from monitor.core.placements import Placement
from monitor.judge.cases import Case
from monitor.judge.claims import Claim
from monitor.judge.trend import Start
from tests.judge.worlds import LINK, START, Mail, Trouble, World, at, judged, senders

PROVIDERS = ("gmail", "yahoo", "icloud")
LOOKS = (timedelta(minutes=32),)


def at_yahoo(mail: Mail) -> bool:
    return mail.provider == "yahoo"


def told(*troubles: Trouble, hours: float, **changes: object) -> list[IncidentEvent]:
    settings = {"providers": PROVIDERS, "looks": LOOKS, "stray": 0.02} | changes
    world = World(troubles=troubles, **settings)  # type: ignore[arg-type]
    return judged(world.observations(at(hours)))


def stories(events: list[IncidentEvent]) -> list[Incident]:
    ids = dict.fromkeys(event.incident for event in events)
    found = [fold(e for e in events if e.incident == name) for name in ids]
    return [story for story in found if State.CONFIRMED in story.states]


def ramp(hits: Callable[[Mail], bool], *shares: float, hours: float) -> list[Trouble]:
    """Trouble that takes these shares of the copies, one after the other, *hours* each."""
    return [
        Trouble(hits, Placement.SPAM, at(10 + hours * n), at(10 + hours * (n + 1)), share)
        for n, share in enumerate(shares)
    ]


def test_an_incident_that_is_rolled_back_slowly_is_one_with_one_end() -> None:
    """Within sixteen hours its share falls from all of the copies to a tenth."""
    slow = ramp(at_yahoo, 0.95, 0.95, 0.7, 0.5, 0.3, 0.1, hours=4)

    events = told(*slow, hours=54)

    (story,) = stories(events)
    assert story.latest.cause is Cause.PROVIDER
    assert Counter(story.states)[State.RECOVERING] <= 2
    assert story.states[-1] is State.CLOSED
    assert story.latest.at >= START + at(26)


def test_mail_that_is_removed_after_the_end_but_was_sent_before_does_not_prolong_it() -> None:
    removal = Trouble(
        at_yahoo, Placement.REMOVED, at(10), at(20), share=0.9, after=timedelta(hours=3)
    )

    events = told(removal, hours=32, looks=(*LOOKS, timedelta(hours=4)))

    (story,) = stories(events)
    assert Counter(story.states)[State.RECOVERING] == 1
    over = next(e for e in events if e.state is State.RECOVERING)
    assert START + at(24) <= over.at <= START + at(27)


def test_a_long_incident_is_told_in_some_ten_events() -> None:
    wide = Trouble(at_yahoo, Placement.SPAM, at(10), at(46), share=0.9)

    events = told(wide, hours=58, senders=senders(10, 0), seeds=3)

    (story,) = stories(events)
    assert story.states[-1] is State.CLOSED
    assert 4 <= len([e for e in events if e.incident == story.latest.incident]) <= 15


def test_the_probability_that_was_stated_follows_what_becomes_known() -> None:
    wide = Trouble(at_yahoo, Placement.SPAM, at(10))

    confirmed = [e for e in told(wide, hours=16) if e.state is State.CONFIRMED]

    first, last = (e.posterior[e.cause] for e in (confirmed[0], confirmed[-1]))
    assert first < 0.95
    assert last > 0.99
    assert len({e.incident for e in confirmed}) == 1


def test_only_how_probable_it_is_is_told_every_two_hours_at_most() -> None:
    wide = Trouble(at_yahoo, Placement.SPAM, at(10))
    events = told(wide, hours=30, senders=senders(6))

    times = [e.at for e in events if "certain now" in e.reason]

    assert all(later - earlier >= timedelta(hours=2) for earlier, later in pairwise(times))


def test_the_start_is_told_with_bounds_that_hold_it() -> None:
    """One sender that was in trouble of its own before does not pull it back."""
    own = Trouble(
        lambda m: at_yahoo(m) and m.sender.name == "s0.example.org", Placement.SPAM, at(2), at(10)
    )
    wide = Trouble(at_yahoo, Placement.SPAM, at(10))

    confirmed = [e for e in told(own, wide, hours=16) if e.cause is Cause.PROVIDER and e.start_low]

    last = confirmed[-1]
    assert last.start_low <= START + at(10) <= last.start_high
    assert last.start_low <= last.start <= last.start_high
    assert last.start_high - last.start_low <= timedelta(hours=2)


def only_s0(mail: Mail) -> bool:
    return at_yahoo(mail) and mail.sender.name == "s0.example.org"


def test_a_sender_that_is_suspected_first_is_cleared_under_the_same_id() -> None:
    """The provider turns on one sender, and four hours later on all."""
    one = Trouble(only_s0, Placement.SPAM, at(10), at(13.9))
    wide = Trouble(at_yahoo, Placement.SPAM, at(13.9))

    events = told(one, wide, hours=18)

    (story,) = stories(events)
    assert {e.incident for e in events} == {story.latest.incident}
    assert [e.cause for e in events][:2] == [Cause.SENDER_AT_PROVIDER, Cause.PROVIDER]
    assert story.states[:2] == (State.SUSPECTED, State.CONFIRMED)
    assert "Others are hit" in events[1].reason


def test_a_sender_that_was_blamed_is_cleared_as_part_of_the_wider_incident() -> None:
    """Whoever was told of the first hears that it is over, and of the second."""
    one = Trouble(only_s0, Placement.SPAM, at(10), at(15.9))
    wide = Trouble(at_yahoo, Placement.SPAM, at(15.9))

    blamed, provider = stories(told(one, wide, hours=20))

    assert blamed.states == (State.SUSPECTED, State.CONFIRMED, State.CLOSED)
    assert blamed.latest.cause is Cause.SENDER_AT_PROVIDER
    assert "others are hit as well" in blamed.latest.reason
    assert (provider.latest.cause, provider.states[-1]) == (Cause.PROVIDER, State.CONFIRMED)


def test_a_region_and_a_link_at_one_provider_are_one_incident_that_keeps_its_name() -> None:
    """They hit the same senders, and now one, now the other seems to explain more."""
    eu = {"seed0", "seed3", "seed6", "seed9"}
    regional = Trouble(lambda m: at_yahoo(m) and m.seed in eu, Placement.SPAM, at(10))
    link = Trouble(lambda m: at_yahoo(m) and m.has_link, Placement.QUARANTINE, at(10))
    world = {"seeds": 12, "regions": ("eu", "us", "apac"), "senders": senders(12, 5)}

    events = told(regional, link, hours=17, **world)

    (story,) = stories(events)
    names = [e.feature for e in events]
    assert story.latest.provider == "yahoo"
    assert sum(name != before for before, name in pairwise(names)) <= 2


def test_two_links_at_one_provider_are_two_incidents() -> None:
    """They hit different senders, hours apart."""
    other = "url:other.example.net"
    first, second = senders(16, 6)[:6], senders(16, 6)[6:]
    carrying = [replace(s, features=s.features | {other}) for s in second[:6]]
    link = Trouble(lambda m: at_yahoo(m) and m.has_link, Placement.SPAM, at(10))
    late = Trouble(lambda m: at_yahoo(m) and other in m.sender.features, Placement.SPAM, at(16))

    events = told(link, late, hours=20, senders=[*first, *carrying, *second[6:]])

    assert [story.latest.feature for story in stories(events)] == [LINK, other]


def test_an_incident_may_be_named_after_the_core_of_those_it_hits() -> None:
    """A claim about all mail also counts senders that lose a campaign by chance."""
    claim = Claim(Cause.PROVIDER, "gmail")
    case = Case("gmail-1", claim, State.CONFIRMED, 0.0, Start(0.0, 0.0, 0.0))
    case.hit = [f"s{number}" for number in range(10)]

    assert case.is_about(["s1", "s4", "s7"])
    assert case.is_about([f"s{number}" for number in range(30)])
    assert not case.is_about(["s1", "t1", "t2"])
