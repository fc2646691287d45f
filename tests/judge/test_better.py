"""A filter that stops filtering: as much of an incident as one that begins to."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.core.incidents import Cause, Direction, Evidence, IncidentEvent, State, Tally
from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge.claims import Claim
from monitor.judge.explain import sentence
from monitor.judge.judge import Judge
from monitor.judge.levels import REMEMBERED, Levels
from monitor.judge.lines import Lines
from tests.judge.test_explain import facts
from tests.judge.worlds import LINK, NAMES, START, Mail, Trouble, World, at, judged, senders

PLACES = ("gmail", "outlook", "yahoo", "icloud")
OTHER = {
    Placement.INBOX: Placement.SPAM,
    Placement.TAB: Placement.SPAM,
    Placement.SPAM: Placement.INBOX,
}
WORSE = Claim(Cause.PROVIDER, "yahoo")
BETTER = replace(WORSE, direction=Direction.BETTER)


def at_yahoo(mail: Mail) -> bool:
    return mail.provider == "yahoo"


def linking(mail: Mail) -> bool:
    return mail.provider == "yahoo" and mail.has_link


def world(*troubles: Trouble, stray: float = 0.05, count: int = 8) -> World:
    made = tuple(replace(sender, every=at(3)) for sender in senders(count, 5))
    return World(made, PLACES, troubles=troubles, stray=stray, looks=(at(0.1),))


def relabelled(observations: Sequence[Observation]) -> list[Observation]:
    """The same mail with inbox and spam exchanged, from the first day on."""
    return [
        replace(seen, placements={a: OTHER.get(p, p) for a, p in seen.placements.items()})
        for seen in observations
    ]


def asked(
    mail: Sequence[Observation], since: float = 35, judge: Judge | None = None
) -> list[IncidentEvent]:
    """What a judge says that only learns until the hour *since*."""
    judge, start = judge or Judge(names=NAMES), mail[0].sent_at + at(since)
    return [event for seen in mail for event in judge.observe(seen, asks=seen.sent_at >= start)]


def is_better(events: Sequence[IncidentEvent]) -> bool:
    return any(event.direction is Direction.BETTER for event in events)


def told(events: Sequence[IncidentEvent]) -> set[tuple[object, ...]]:
    """Cause and place of all that was confirmed, and whom it concerned at last."""
    last = {e.incident: e for e in events if State.CONFIRMED is e.state}
    return {(e.direction, e.cause, e.provider, e.feature, e.sender) for e in last.values()}


@pytest.mark.parametrize(
    ("hits", "cause", "feature"),
    [(at_yahoo, Cause.PROVIDER, None), (linking, Cause.PROVIDER_FEATURE, LINK)],
)
def test_the_same_mail_with_inbox_and_spam_exchanged_gives_the_opposite(
    hits: object, cause: Cause, feature: str | None
) -> None:
    trouble = Trouble(hits, Placement.SPAM, at(36), at(45), share=0.9)  # type: ignore[arg-type]
    plain = world(trouble).observations(at(55))

    worse, better = asked(plain), asked(relabelled(plain))

    assert told(worse) == {(Direction.WORSE, cause, "yahoo", feature, None)}
    assert told(better) == {(Direction.BETTER, cause, "yahoo", feature, None)}
    assert set(worse[-1].hit) == set(better[-1].hit)
    assert (worse[-1].state, better[-1].state) == (State.CLOSED, State.CLOSED)


def test_an_incident_for_the_better_is_saved_and_resumed_exactly() -> None:
    mail = relabelled(world(Trouble(at_yahoo, Placement.SPAM, at(36), at(42))).observations(at(44)))
    straight, first = Judge(names=NAMES), Judge(names=NAMES)
    cut = len(mail) * 6 // 7

    expected = asked(mail, judge=straight)
    asked(mail[:cut], judge=first)
    resumed = Judge.restore(json.loads(json.dumps(first.snapshot())), names=NAMES)
    events = judged(mail[cut:], resumed)

    assert events
    assert events == expected[-len(events) :]
    assert json.dumps(resumed.snapshot()) == json.dumps(straight.snapshot())


def test_a_sender_whose_own_trouble_ends_makes_no_filter_milder() -> None:
    def of_one(mail: Mail) -> bool:
        return mail.provider == "yahoo" and mail.sender.name == "s1.example.org"

    ended = Trouble(of_one, Placement.SPAM, at(0), at(36))

    assert not is_better(asked(world(ended).observations(at(51))))


def test_campaigns_that_fare_better_everywhere_make_no_filter_milder() -> None:
    everywhere = Trouble(lambda _: True, Placement.SPAM, at(0), at(40), share=0.8)

    assert not is_better(asked(world(everywhere).observations(at(54))))


def slid(since: float) -> list[IncidentEvent]:
    """Ten days in which a provider loses a third of all mail from the hour *since* on, then none.

    The judge learns all that time, and is asked only about the end.
    """
    slide = Trouble(at_yahoo, Placement.SPAM, at(since), at(24 * 10), share=0.35)
    made = [replace(sender, every=at(12)) for sender in senders(8, 0)]
    mail = replace(world(slide), senders=made, seeds=8)
    return asked(mail.observations(at(24 * 12)), since=24 * 10)


def test_what_a_provider_returns_to_is_not_news() -> None:
    """The baseline has half learnt a decline that nobody was told of."""
    assert not is_better(slid(since=24 * 5))


def test_what_a_provider_has_never_done_is() -> None:
    assert is_better(slid(since=0))


def test_levels_are_remembered_for_eight_weeks() -> None:
    levels = Levels()
    for day in range(1, REMEMBERED + 2):
        levels.note(day, {"yahoo": -3.0 if day < 3 else -1.0})

    assert levels.ebb("yahoo") == -2.0
    assert levels.ebb("gmail") == 0.0
    levels.note(day + 1, {"yahoo": -1.0})
    assert levels.ebb("yahoo") == 0.0


def test_a_change_for_the_better_takes_more_evidence() -> None:
    lines = Lines(2.0, 6)

    assert lines.of(BETTER).confirm > lines.of(WORSE).confirm + 1


def test_the_sentence_does_not_say_that_mail_is_lost() -> None:
    through = Evidence(
        hit=tuple(
            Tally(f"s{n}", n=8, bad=0, n_eff=4.0, low=0, high=1, expected=0.8) for n in "abc"
        ),
        controls=(Tally("gmail", n=8, bad=6, n_eff=4.0, low=0, high=1, expected=0.8),),
        placements={"inbox": 24},
    )
    known = facts(replace(BETTER, provider="microsoft365"), evidence=through, asked=12)

    assert sentence(known) == (
        "Microsoft 365 lets mail through that it used to put in spam: 3 of 12 senders, since "
        "2026-03-02 18:20 UTC. Nothing that you changed. Gmail is as usual."
    )


def test_a_history_of_mail_in_spam_is_learnt_as_usual() -> None:
    """Nothing is asked of it, so that nothing can be missed by taking it for usual."""
    seldom = [replace(sender, every=timedelta(hours=6)) for sender in senders(6)]
    world = World(
        senders=seldom,
        providers=PLACES,
        troubles=[Trouble(lambda _: True, Placement.SPAM, at(0), share=0.8)],
        looks=(timedelta(minutes=32),),
    )
    judge = Judge()
    told: list[IncidentEvent] = []
    for seen in world.observations(at(24 * 12)):
        told += judge.observe(seen, asks=seen.sent_at >= START + at(24 * 11))

    assert [event.sentence for event in told] == []
