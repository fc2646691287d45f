"""Do the readings of the last hours differ from what is usual? Student's t over the senders.

Every sender is one observation, however much it sends, and the one that says most is left
out: what only one sender meets is no news about a provider.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.judge.gauges.recent import Row
from monitor.judge.rates import effective

SPANS_H = (2.0, 6.0, 24.0)
FEWEST = 4  # senders, the one that is left out included
ALIKE = 0.3  # correlation of the readings of one sender
SPREAD_WORTH = 4.0  # senders that the known usual spread is worth, as degrees of freedom
OFFSET = 3.5  # nats, so that the measured lines of the placements are on the safe side here


@dataclass(frozen=True, slots=True)
class Chance:
    """Usual variances: of a single reading, and of the mean of everything beyond that."""

    single: float
    wobble: float


@dataclass(frozen=True, slots=True)
class Shift:
    """How much the readings of a span of hours have moved."""

    span_h: float
    mean: float = 0.0  # on the scale of comparison
    chance: float = 0.0  # variance of that mean, by chance alone
    score: float = -1e9  # nats
    units: int = 0

    @property
    def is_enough(self) -> bool:
        return self.units >= FEWEST


def shift(
    rows: Sequence[Row], now: float, span_h: float, chance: Chance, *, by_test: bool = False
) -> Shift:
    """Compare the rows told in the last *span_h* hours with what was expected of them.

    Args:
        by_test: every campaign is one observation, not every sender.
    """
    groups: dict[str, list[float]] = {}
    for row in rows:
        if 0 <= now - row.at <= span_h:
            groups.setdefault(row.test if by_test else row.sender, []).append(row.excess)
    means = [(sum(g) / len(g), effective(len(g), correlation=ALIKE)) for g in groups.values()]
    if len(means) < FEWEST:
        return Shift(span_h, units=len(means))
    means.remove(max(means, key=lambda m: m[0] * m[1]))
    total = sum(weight for _, weight in means)
    mean = sum(weight * value for value, weight in means) / total
    spread = sum((weight * (value - mean)) ** 2 for value, weight in means) / total**2
    variance = max(spread, chance.single / total)
    score = _nats(mean / math.sqrt(variance + chance.wobble), len(means)) - OFFSET
    return Shift(span_h, mean, variance, score, len(means) + 1)


def _nats(t: float, n: int) -> float:
    """The log likelihood ratio of *n* observations whose mean is *t* spreads off.

    Source: the likelihood ratio of Student's t test; E. L. Lehmann, Testing Statistical
    Hypotheses (1986), section 5.2.
    """
    if t <= 0:
        return 0.0
    freedom = n - 1 + SPREAD_WORTH
    return (freedom + 1) / 2 * math.log1p(t * t / freedom)
