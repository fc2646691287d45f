"""The health of the seeds: a mailbox that fails while its neighbours do not is broken.

A broken seed is left out of every verdict, also of those on clusters seen before it was
known to be broken, and is reported as such.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.judge.baseline import FORGET_H
from monitor.judge.clusters import Fate, was_lost

AT_FIRST = -6.0  # log odds of being broken: one seed in four hundred
MOST = 3.0  # more certainty would only make it slower to be unlearnt
GOOD_STEP = -3.0  # one good copy all but clears a seed
BROKEN_LOSES, HEALTHY_LOSES = 0.95, 0.05
LEFT_OUT = -1.0  # after two copies missing in a row a seed does not count
BROKEN = 2.0  # after three, it is said to be broken
REPAIRED = -3.0
# The most that one bad copy adds. Filters are harder on some mailboxes than on their neighbours
# and put mail in spam; a mailbox that is full, or gone, does not get it at all.
MOST_STEP = {Fate.SPAM: 0.5, Fate.QUARANTINE: 0.5, Fate.REJECTED: 1.0, Fate.MISSING: 2.7}
MISSING_SAYS = 2.0  # log ratio: of losses of a broken seed and of others, 60 and 8 % are missing
ALONE = 0.3  # share of its neighbours that may be bad when a seed is judged by a copy
REGION = 3  # so many failing seeds of one region are the region's trouble, not theirs
KEEP = 0.99  # memory of a seed's own rate, per copy: a few hundred copies
OWN_RATE = (0.3, 5.0)  # bounds of a seed's own rate, relative to its cluster's
PRIOR = 2.0  # copies' worth of being like the others


@dataclass(slots=True)
class Seed:
    """One seed mailbox, as its copies show it."""

    region: str = ""
    bad: float = PRIOR
    expected: float = PRIOR
    log_odds: float = AT_FIRST  # of being broken
    at: float = 0.0

    @property
    def own_rate(self) -> float:
        """How many times as often as expected its copies are bad."""
        rate, (low, high) = self.bad / self.expected, OWN_RATE
        return low if rate < low else min(rate, high)

    @property
    def is_left_out(self) -> bool:
        return self.log_odds >= LEFT_OUT

    def learn(self, fate: Fate, *, expected: float, weight: float, others_bad: float) -> None:
        """Take in one copy.

        Args:
            fate: what became of it on arrival.
            expected: the usual share of bad copies of its cluster.
            weight: probability that the cluster met nothing unusual.
            others_bad: share of the cluster's other copies that are bad; NaN if there
                are too few to compare with.
        """
        is_bad = was_lost(fate)
        if others_bad < ALONE:
            usual = min(0.9, max(0.02, expected * self.own_rate))
            if is_bad:
                step = math.log(BROKEN_LOSES / usual) + MISSING_SAYS * (fate is Fate.MISSING)
                self.log_odds += min(MOST_STEP[fate], max(0.0, step))
            else:
                self.log_odds += max(GOOD_STEP, math.log(HEALTHY_LOSES / (1 - usual)))
            self.log_odds = min(MOST, max(AT_FIRST, self.log_odds))
        self.bad = self.bad * KEEP + weight * is_bad
        self.expected = self.expected * KEEP + weight * expected


@dataclass(slots=True)
class SeedHealth:
    """All seeds, by provider and address."""

    seeds: dict[str, dict[str, Seed]] = field(default_factory=dict)

    def of(self, provider: str, address: str) -> Seed:
        known = self.seeds.setdefault(provider, {})
        seed = known.get(address)
        if seed is None:
            seed = known[address] = Seed()
        return seed

    def at(self, provider: str) -> Mapping[str, Seed]:
        """The seeds known at *provider*, by address."""
        return self.seeds.get(provider, {})

    def failing_regions(self, provider: str) -> frozenset[str]:
        """Regions in which so many seeds fail that it is not the seeds."""
        failing = [s.region for s in self.at(provider).values() if s.is_left_out and s.region]
        return frozenset(region for region in failing if failing.count(region) >= REGION)

    def forget(self, now: float) -> None:
        for provider, seeds in self.seeds.items():
            self.seeds[provider] = {a: s for a, s in seeds.items() if now - s.at < FORGET_H}

    def snapshot(self) -> list[Any]:
        return [
            [provider, address, s.region, s.bad, s.expected, s.log_odds, s.at]
            for provider, seeds in self.seeds.items()
            for address, s in seeds.items()
        ]

    @classmethod
    def restore(cls, rows: list[Any]) -> "SeedHealth":
        health = cls()
        for provider, address, *rest in rows:
            health.seeds.setdefault(provider, {})[address] = Seed(*rest)
        return health
