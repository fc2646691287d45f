"""What tells the common causes apart, and senders from what befalls others."""

from dataclasses import replace
from datetime import timedelta

from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.core.placements import Placement
from monitor.judge.clusters import Fate
from monitor.judge.judge import Judge
from monitor.judge.seeds import BROKEN, Seed
from tests.judge.worlds import LINK, START, Mail, Sender, Trouble, World, at, judged

PROVIDERS = ("gmail", "outlook", "microsoft365", "yahoo", "icloud")
LOOKS = (timedelta(minutes=32),)
ONSET = at(12)


def world(*troubles: Trouble, **changes: object) -> World:
    settings = {"providers": PROVIDERS, "looks": LOOKS, "troubles": troubles} | changes
    return World(**settings)  # type: ignore[arg-type]


def causes(events: list[IncidentEvent]) -> set[Cause]:
    return {event.cause for event in events if event.state is State.CONFIRMED}


def through(*services: str) -> tuple[Sender, ...]:
    """One sender of each of *services*, in that order."""
    return tuple(
        Sender(f"s{n}.example.org", frozenset({f"esp:{service}", f"dkim:s{n}.example.org"}))
        for n, service in enumerate(services)
    )


def test_missing_mail_of_one_service_alone_does_not_blame_the_monitor() -> None:
    """The first three campaigns are all of the service: they cannot tell it from the monitor."""
    mailing = through("a", "a", "a", "b", "b", "b")
    outage = Trouble(lambda m: "esp:a" in m.sender.features, Placement.MISSING, ONSET)

    events = judged(world(outage, senders=mailing).observations(at(20)))

    assert causes(events) == {Cause.ESP}
    assert Cause.MONITOR not in {event.cause for event in events}


def test_a_service_is_named_once_mail_sent_otherwise_arrives() -> None:
    mailing = through("a", "a", "b", "b")
    outage = Trouble(lambda m: "esp:a" in m.sender.features, Placement.MISSING, ONSET)

    events = judged(world(outage, senders=mailing).observations(at(13)))

    named = next(event for event in events if event.state is State.CONFIRMED)
    assert (named.cause, named.esp) == (Cause.ESP, "a")
    assert named.at <= START + ONSET + timedelta(minutes=45)


def test_two_senders_whose_mail_goes_to_spam_are_not_yet_a_service() -> None:
    """Single campaigns die of their own content, and then they go to spam."""
    mailing = through("a", "a", "b", "b")
    chance = Trouble(lambda m: "esp:a" in m.sender.features, Placement.SPAM, ONSET, at(13))

    events = judged(world(chance, senders=mailing).observations(at(16)))

    assert causes(events) == set()


def test_an_outage_that_is_known_does_not_speak_for_another_cause() -> None:
    """While it lasts, a campaign of another sender dies by its own content."""
    mailing = through(*"aaaaaaaabb")
    outage = Trouble(lambda m: "esp:a" in m.sender.features, Placement.MISSING, ONSET)
    own = Trouble(lambda m: m.sender.name == "s8.example.org", Placement.SPAM, at(14), at(16))

    events = judged(world(outage, own, senders=mailing).observations(at(15)))

    assert causes(events) == {Cause.ESP}


def test_a_second_sender_in_trouble_of_its_own_does_not_make_it_the_provider() -> None:
    def hits(name: str, begins: float) -> Trouble:
        return Trouble(
            lambda m: m.provider == "yahoo" and m.sender.name == name, Placement.SPAM, at(begins)
        )

    known, latest = hits("s2.example.org", 12), hits("s7.example.org", 40)

    events = judged(world(known, latest).observations(at(60)))

    told = [(e.cause, e.sender) for e in events if e.state is State.CONFIRMED]
    assert (Cause.SENDER_AT_PROVIDER, "s7.example.org") in told
    assert {cause for cause, _ in told} == {Cause.SENDER_AT_PROVIDER}


def test_a_link_that_others_use_unharmed_is_not_why_a_sender_fails() -> None:
    """One campaign arrives, and it happens to be the one without the link."""
    own, spared = "s0.example.org", START + at(14)

    def fails(mail: Mail) -> bool:
        return mail.sender.name == own and mail.sent_at != spared

    stream = [
        replace(seen, features=seen.features - {LINK})
        if seen.sender == own and (seen.sent_at == spared or seen.sent_at < START + ONSET)
        else seen
        for seen in world(Trouble(fails, Placement.SPAM, ONSET)).observations(at(22))
    ]

    assert causes(judged(stream)) == {Cause.SENDER}


def _after(*fates: Fate) -> Seed:
    seed = Seed()
    for fate in fates:
        seed.learn(fate, expected=0.1, weight=1.0, others_bad=0.05)
    return seed


def test_three_copies_missing_in_a_row_make_a_seed_broken() -> None:
    assert _after(*[Fate.MISSING] * 2).log_odds < BROKEN <= _after(*[Fate.MISSING] * 3).log_odds


def test_a_seed_with_a_stern_filter_is_not_broken_by_a_streak_of_spam() -> None:
    assert not _after(*[Fate.SPAM] * 4).is_left_out
    assert _after(*[Fate.SPAM] * 4).log_odds < BROKEN


def test_a_seed_that_never_gets_anything_but_spam_is_said_to_be_broken_in_the_end() -> None:
    assert _after(*[Fate.SPAM] * 20).log_odds >= BROKEN


def test_a_service_that_is_judged_across_a_restart_is_judged_the_same() -> None:
    mailing = through("a", "a", "b", "b")
    outage = Trouble(lambda m: "esp:a" in m.sender.features, Placement.MISSING, ONSET)
    stream = world(outage, senders=mailing).observations(at(16))
    middle = next(n for n, seen in enumerate(stream) if seen.at >= START + ONSET + at(0.6))

    whole = judged(stream)
    first = Judge()
    events = judged(stream[:middle], first)
    events += judged(stream[middle:], Judge.restore(first.snapshot()))

    assert [(e.at, e.cause, e.state) for e in events] == [(e.at, e.cause, e.state) for e in whole]
