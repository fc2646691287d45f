"""Is a sender in trouble of its own at a provider? A filter of two states for each pair.

A sender whose reputation fell is bad in every later campaign. Twenty bad campaigns of
one sender are one piece of evidence about the provider, not twenty: the probability kept
here is what every claim against a provider has to beat, sender by sender.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from monitor.judge.baseline import FORGET_H

ONSET_PER_H = 1 / 400 / 24  # a pair falls into trouble once in 400 days
RECOVERY_PER_H = 1 / 7 / 24  # and is out of it after a week
AT_FIRST = 0.05  # a new pair
LEAST, MOST = 1e-3, 0.999  # never so sure that it could not be unlearnt


@dataclass(slots=True)
class Reputation:
    """Probability that (sender, provider) is in trouble, and the hour it was last updated."""

    pairs: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def in_trouble(self, sender: str, provider: str, at: float) -> float:
        """The probability at hour *at*, before whatever is seen then."""
        known = self.pairs.get((sender, provider))
        if known is None:
            return AT_FIRST
        before, when = known
        gap = max(0.0, at - when)
        stays = before * math.exp(-gap * RECOVERY_PER_H)
        falls = (1 - before) * (1 - math.exp(-gap * ONSET_PER_H))
        return min(MOST, max(LEAST, stays + falls))

    def update(self, sender: str, provider: str, at: float, evidence: float) -> None:
        """Take in *evidence*: the log odds that one cluster met trouble of this kind."""
        before = self.in_trouble(sender, provider, at)
        odds = math.log(before / (1 - before)) + evidence
        after = 1 / (1 + math.exp(-min(30.0, max(-30.0, odds))))
        known = self.pairs.get((sender, provider))
        when = at if known is None else max(at, known[1])
        self.pairs[sender, provider] = (min(MOST, max(LEAST, after)), when)

    def forget(self, now: float) -> None:
        self.pairs = {k: v for k, v in self.pairs.items() if now - v[1] < FORGET_H}

    def snapshot(self) -> list[Any]:
        return [[*pair, *value] for pair, value in self.pairs.items()]

    @classmethod
    def restore(cls, rows: list[Any]) -> "Reputation":
        return cls({(row[0], row[1]): (row[2], row[3]) for row in rows})
