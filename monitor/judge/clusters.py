"""A cluster: what is known of the copies of one test at one provider."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from enum import StrEnum
from typing import Any

from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge import likelihood
from monitor.judge.likelihood import Likelihood
from monitor.judge.lists import Lists, named

FRESH_H = 8.0  # a copy that is still there later than this says little about removal now
SETTLE_H = 1.0  # younger copies may still be taken away: not yet a sign of health
REGION_STANDS_OUT = 1.0  # nats; by chance alone some region is always a little worse
REMOVED_EVERYWHERE_ODDS = -3.5  # before any is seen: three campaigns in a hundred
MOST_COPIES = 200  # of one cluster; more would not be more evidence
MOST_FEATURES = 32
LONGEST = 253  # characters of a name that we keep: the longest domain name


class Fate(StrEnum):
    """What became of one copy, in one letter each because snapshots hold many."""

    ARRIVED = "i"
    SPAM = "s"
    QUARANTINE = "q"
    MISSING = "m"
    REJECTED = "r"
    REMOVED = "x"

    @property
    def placement(self) -> Placement:
        return _PLACEMENT[self]


_PLACEMENT = {
    Fate.ARRIVED: Placement.INBOX,
    Fate.SPAM: Placement.SPAM,
    Fate.QUARANTINE: Placement.QUARANTINE,
    Fate.MISSING: Placement.MISSING,
    Fate.REJECTED: Placement.REJECTED,
    Fate.REMOVED: Placement.REMOVED,
}
WAYS_LOST = (Fate.SPAM, Fate.QUARANTINE, Fate.MISSING, Fate.REJECTED)
_LOST = frozenset(WAYS_LOST)
_FATE = {placement: fate for fate, placement in _PLACEMENT.items()} | {Placement.TAB: Fate.ARRIVED}


def follow(before: Fate | None, seen: Placement, *, is_earlier: bool) -> Fate | None:
    """What became of a copy, given its fate *before* and one more look at it.

    A late copy is no missing one; a copy once in the mailbox and now elsewhere was
    removed; mail that came back from the spam folder was in the spam folder.

    Args:
        is_earlier: the look is older than those known already.
    """
    now = _FATE.get(seen)
    if now is None or before is None:
        return before if now is None else now
    if before is Fate.MISSING:
        return Fate.REMOVED if is_earlier and now is Fate.ARRIVED else now
    first, last = (now, before) if is_earlier else (before, now)
    if last is Fate.REJECTED:  # a late bounce: it was in the mailbox all the same
        return first
    if first is Fate.ARRIVED and last is not Fate.ARRIVED:
        return Fate.REMOVED
    return last if first is Fate.MISSING else first


@dataclass(frozen=True, slots=True)
class Counts:
    """The copies of a cluster that count, and how many of them were to be lost."""

    n: int
    lost: int  # never arrived
    moved: int  # arrived, and were removed later
    was_watched: bool  # was there a look that could have seen a removal?
    expected: float  # usual share of lost copies

    @property
    def bad(self) -> int:
        return self.lost + self.moved


@dataclass(frozen=True, slots=True)
class Change:
    """What one look changed of what is known of a cluster."""

    decided: tuple[str, ...]  # seeds whose copies were not known before
    is_news: bool  # some copy's fate became known, or another
    is_watched: bool  # the first look that could have seen a removal


@dataclass(slots=True)
class Cluster:
    """Hours are counted from the Unix epoch."""

    test: str
    provider: str
    sender: str
    features: tuple[str, ...]
    sent: float
    at: float  # when it was first judged
    last: float  # the latest look
    look: int = -1  # number of that look
    usual: float = 0.1  # share of bad copies to be expected, seeds aside
    any_day: float = 0.1  # the same, whatever the weekday
    in_trouble: float = 0.0  # the sender's own trouble here, before this cluster
    in_luck: float = 0.0  # the same for its mail faring better than usual
    ebb: float = 0.0  # log odds by which the provider has lost less than it does now; <= 0
    unknown: int = 0  # copies that could not be looked for, at the latest look
    moved: float | None = None  # when the first copy was seen to be gone
    fates: dict[str, Fate] = field(default_factory=dict)
    counts: Counts | None = None
    regional: dict[str, float] = field(default_factory=dict)  # log ratios for each region
    # What follows is computed from the above, and from the incidents known.
    arrival: Likelihood | None = None
    removal: Likelihood | None = None
    both: Likelihood | None = None
    milder: Likelihood | None = None  # of fewer copies being lost than usual
    least_usual: float = math.nan  # share of lost copies that this takes for usual
    is_bad: bool = False
    explained: dict[str, float] = field(default_factory=dict)  # by incident: probability
    eased: dict[str, float] = field(default_factory=dict)  # the same by those for the better
    arrival_says: float = 0.0  # log ratio for its campaign failing everywhere, ...
    removal_says: float = 0.0  # ... or being removed everywhere
    milder_says: float = 0.0  # log ratio for its campaign faring better everywhere
    unexplained: float = 0.0  # log odds of trouble, beyond what the known incidents explain
    known: float = 0.0  # probability that a known incident did it
    # From the other clusters of its test: log odds that its campaign fails, or is removed,
    # wherever it goes; and whether it does fail at half of the other providers or more.
    everywhere_odds: float = 0.0
    removed_odds: float = REMOVED_EVERYWHERE_ODDS
    fine_odds: float = 0.0  # that it fares better than usual wherever it goes
    is_widely_bad: bool = False
    is_spared_elsewhere: bool = False  # or at fewer, as far as it is known
    row: int = -1  # in the table

    @property
    def is_blind(self) -> bool:
        """We could not look for any of its copies."""
        return not self.fates and self.unknown > 0

    @property
    def met(self) -> float:
        """When its mail met what made it bad, if anything did; else when it was judged."""
        was_lost = self.arrival is not None and self.arrival.is_bad
        return self.at if self.moved is None or was_lost else self.moved

    @property
    def removal_at(self) -> float:
        return min(self.last, self.sent + FRESH_H) if self.moved is None else self.moved

    def see(self, observation: Observation, at: float) -> Change:
        """Take in one look; say what it changed."""
        is_earlier = observation.look < self.look
        fates = {seed: _FATE.get(p) for seed, p in observation.placements.items()}
        # Most looks find every copy where it was.
        seen = [] if fates == self.fates else list(observation.placements.items())[:MOST_COPIES]
        decided, moved = [], False
        for name, placement in seen:
            seed = name if len(name) <= LONGEST else name[:LONGEST]
            before = self.fates.get(seed)
            if _FATE.get(placement) is before:
                continue
            after = follow(before, placement, is_earlier=is_earlier)
            if after is None or after is before:
                continue
            self.fates[seed] = after
            moved = moved or before is not None
            if before is None:
                decided.append(seed)
            if after is Fate.REMOVED:
                self.moved = at if self.moved is None else min(at, self.moved)
        was_blind, was_watched = self.is_blind, self.look > 0
        if not is_earlier:
            self.look = observation.look
            self.unknown = [placement for _, placement in seen].count(Placement.UNKNOWN)
        self.last = max(self.last, at)
        return Change(
            decided=tuple(decided),
            is_news=bool(decided) or moved or was_blind != self.is_blind,
            is_watched=not was_watched and self.look > 0,
        )

    def count(self, counts: Counts | None, regional: dict[str, float]) -> None:
        """Take *counts* for what this cluster says, and work out its likelihoods."""
        self.counts, self.regional = counts, regional
        self.arrival = self.milder = None
        if counts is not None:
            # In an incident, seeds seem to lose more than others: that is no reason to hope.
            usual = min(counts.expected, self.usual)
            self.least_usual = likelihood.shifted(usual, self.ebb)
            self.milder = likelihood.let_through(counts.lost, counts.n, 1 - self.least_usual)
            self.arrival = likelihood.first_look(counts.lost, counts.n, 1 - counts.expected)
        self._judge_removal()

    def watched(self) -> None:
        """Take note that there was a look that could have seen a removal, and saw no change."""
        if self.counts is not None:
            self.counts = replace(self.counts, was_watched=True)
            self._judge_removal()

    def _judge_removal(self) -> None:
        self.removal = self.both = None
        if self.arrival is not None and self.counts is not None and self.counts.was_watched:
            arrived = self.counts.n - self.counts.lost
            if arrived:
                self.removal = likelihood.removal(self.counts.moved, arrived)
                self.both = likelihood.together(self.arrival, self.removal)
        # Is trouble the likelier explanation of what became of its copies, or of a region's?
        wholly = any(seen is not None and seen.is_bad for seen in (self.arrival, self.removal))
        self.is_bad = wholly or any(r > REGION_STANDS_OUT for r in self.regional.values())
        self.weigh()

    def explain(self, explained: dict[str, float], eased: dict[str, float]) -> None:
        """Take note of the incidents that may have hit, or spared, this cluster."""
        self.explained, self.eased = explained, eased
        self.weigh()

    def weigh(self) -> None:
        """Work out what this cluster says beyond what the known incidents explain."""
        self.known = max(self.explained.values(), default=0.0)
        self.unexplained = self.beyond(self.loss())
        self.arrival_says = 0.0 if self.arrival is None else self.beyond(self.arrival.everywhere)
        self.milder_says = 0.0 if self.milder is None or self.eased else self.milder.everywhere
        self.removal_says = 0.0 if self.removal is None else self.beyond(self.removal.everywhere)

    @property
    def is_eased(self) -> bool:
        """Is a filter that has become milder the likelier explanation?"""
        return self.relief > 0

    @property
    def relief(self) -> float:
        """Log ratio of a milder filter against the usual one."""
        return 0.0 if self.milder is None else self.milder.bad - self.milder.normal

    @property
    def way(self) -> Fate | None:
        """The way in which most of its copies were lost, if it is bad; the commonest first."""
        if self.arrival is None or not self.arrival.is_bad:
            return None
        fates = list(self.fates.values())
        return max(WAYS_LOST, key=fates.count)

    def loss(self, fails_everywhere: float = 0.0, *, partial: bool = False) -> float:
        """Log odds, bare of any prior, that an incident hit this cluster, now or later.

        Args:
            partial: an incident that takes a third of the copies, not an unknown share.
        """
        if self.arrival is None:
            return 0.0
        on_arrival = self.arrival.loss(fails_everywhere, partial=partial)
        if self.both is None or self.moved is None:
            return on_arrival
        return max(on_arrival, self.both.loss(fails_everywhere, partial=partial))

    def beyond(self, loss: float) -> float:
        """What is left of *loss*, log odds of trouble, beyond what known incidents explain."""
        return loss - likelihood.mixed(self.known, loss, 0.0) if self.known else loss

    def snapshot(self, lists: Lists) -> list[Any]:
        """What JSON can hold, without test and sender, which the trial tells."""
        return [
            self.provider,
            lists.number(self.features),
            [self.sent, self.at, self.last, self.look, self.usual, self.any_day, self.in_trouble],
            [self.in_luck, self.ebb, self.unknown, self.moved],
            lists.number(self.fates),
            "".join(self.fates.values()),
            None if self.counts is None else list(astuple(self.counts)),
            [lists.number(self.regional), *self.regional.values()],
        ]

    @classmethod
    def restore(
        cls, row: list[Any], lists: Sequence[Sequence[str]], *, test: str, sender: str
    ) -> "Cluster":
        provider, features, numbers, more, seeds, letters, counts, regional = row
        cluster = cls(test, provider, sender, named(lists, features), *numbers)
        cluster.in_luck, cluster.ebb, cluster.unknown, cluster.moved = more
        fates = zip(named(lists, seeds), letters, strict=True)
        cluster.fates = {seed: Fate(letter) for seed, letter in fates}
        regions, *ratios = regional
        cluster.count(
            None if counts is None else Counts(*counts),
            dict(zip(named(lists, regions), ratios, strict=True)),
        )
        return cluster


def was_lost(fate: Fate) -> bool:
    """Did the copy fail to arrive? One removed later did arrive."""
    return fate in _LOST
