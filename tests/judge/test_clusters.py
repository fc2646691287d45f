"""What the looks at a cluster's copies add up to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge.clusters import Cluster, Fate, follow
from monitor.judge.lists import Lists
from monitor.judge.measure import measure
from monitor.judge.seeds import SeedHealth
from tests.judge.worlds import World, at, senders

ONE = World(senders=senders(1), providers=("gmail",), looks=(timedelta(minutes=32),)).observations(
    at(1)
)[0]


@pytest.mark.parametrize(
    ("before", "seen", "after"),
    [
        (None, Placement.PENDING, None),
        (None, Placement.UNKNOWN, None),
        (None, Placement.TAB, Fate.ARRIVED),
        (None, Placement.REMOVED, Fate.REMOVED),
        (Fate.ARRIVED, Placement.UNKNOWN, Fate.ARRIVED),
        (Fate.ARRIVED, Placement.SPAM, Fate.REMOVED),
        (Fate.ARRIVED, Placement.QUARANTINE, Fate.REMOVED),
        (Fate.ARRIVED, Placement.REMOVED, Fate.REMOVED),
        (Fate.ARRIVED, Placement.REJECTED, Fate.ARRIVED),
        (Fate.MISSING, Placement.INBOX, Fate.ARRIVED),
        (Fate.MISSING, Placement.SPAM, Fate.SPAM),
        (Fate.SPAM, Placement.INBOX, Fate.SPAM),
        (Fate.SPAM, Placement.REMOVED, Fate.SPAM),
        (Fate.REMOVED, Placement.INBOX, Fate.REMOVED),
    ],
)
def test_a_further_look_tells_what_became_of_a_copy(
    before: Fate | None, seen: Placement, after: Fate | None
) -> None:
    assert follow(before, seen, is_earlier=False) is after


@pytest.mark.parametrize("first", [p for p in Placement if p is not Placement.REJECTED])
@pytest.mark.parametrize("second", [p for p in Placement if p is not Placement.REJECTED])
def test_looks_may_come_in_either_order(first: Placement, second: Placement) -> None:
    in_order = follow(follow(None, first, is_earlier=False), second, is_earlier=False)
    reversed_ = follow(follow(None, second, is_earlier=False), first, is_earlier=True)
    vanished = {first, second} == {Placement.MISSING, Placement.INBOX} or {first, second} == {
        Placement.MISSING,
        Placement.TAB,
    }

    assert vanished or in_order is reversed_


def cluster() -> Cluster:
    return Cluster("t", "gmail", "s", (), sent=0.0, at=0.5, last=0.5)


def seen(look: int, **placements: Placement) -> Observation:
    return replace(ONE, look=look, placements=placements)


def test_copies_decided_later_are_counted_when_they_are() -> None:
    watched, health = cluster(), SeedHealth()
    watched.see(seen(0, a=Placement.INBOX, b=Placement.PENDING), 0.5)
    measure(watched, health)
    first = watched.counts

    watched.see(seen(1, a=Placement.INBOX, b=Placement.SPAM), 1.0)
    measure(watched, health)

    assert (first and first.n, watched.counts and watched.counts.n) == (1, 2)


def test_the_moment_of_the_first_removal_is_kept() -> None:
    watched = cluster()
    watched.see(seen(0, a=Placement.INBOX, b=Placement.INBOX), 0.5)
    watched.see(seen(1, a=Placement.REMOVED, b=Placement.INBOX), 1.0)
    watched.see(seen(2, a=Placement.REMOVED, b=Placement.REMOVED), 2.0)

    assert watched.moved == 1.0


def test_a_look_that_could_see_nothing_is_blind_and_says_nothing() -> None:
    watched = cluster()
    watched.see(seen(0, a=Placement.UNKNOWN, b=Placement.PENDING), 0.5)
    measure(watched, SeedHealth())

    assert watched.is_blind
    assert watched.loss() == 0.0


def test_a_saved_cluster_says_the_same() -> None:
    watched = cluster()
    watched.see(seen(0, a=Placement.INBOX, b=Placement.SPAM), 0.5)
    watched.see(seen(1, a=Placement.REMOVED, b=Placement.SPAM), 1.0)
    measure(watched, SeedHealth())

    lists = Lists()
    saved = watched.snapshot(lists)

    restored = Cluster.restore(saved, lists.snapshot(), test=watched.test, sender=watched.sender)

    assert restored.snapshot(lists) == saved
    assert (restored.test, restored.sender) == (watched.test, watched.sender)
    assert restored.loss() == watched.loss()
