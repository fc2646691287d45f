"""How far a figure may be off: 95 % intervals, without a library for statistics."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from monitor.core import intervals

Z = 1.959964  # of the normal law, for 95 %
TAIL = 0.025
DRAWS = 2000


def quantile(values: Sequence[float], q: float) -> float | None:
    """The value at *q* of the sorted ones, as the score takes it; never found is infinite."""
    known = sorted(values)
    return known[min(len(known) - 1, int(q * len(known)))] if known else None


def bootstrap(values: Sequence[float], q: float) -> tuple[float, float] | None:
    """The interval of a quantile by resampling (B. Efron, Ann. Stat. 7 (1979), percentile)."""
    if not values:
        return None
    n = len(values)
    drawn = np.random.default_rng(0).choice(np.array(values, dtype=float), (DRAWS, n))
    drawn.sort(axis=1)
    found = np.sort(drawn[:, min(n - 1, int(q * n))])
    return float(found[int(TAIL * DRAWS)]), float(found[int((1 - TAIL) * DRAWS) - 1])


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The interval of a share."""
    return intervals.wilson(hits, n, z=Z)


def poisson(count: int) -> tuple[float, float]:
    """The exact interval of an expected count (F. Garwood, Biometrika 28 (1936), 437-442)."""
    low = 0.0 if not count else _falls(lambda mean: 1 - _up_to(count - 1, mean) < TAIL, count)
    return low, _falls(lambda mean: _up_to(count, mean) > TAIL, 2.0 * count + 10.0)


def _up_to(count: int, mean: float) -> float:
    """The chance of at most *count*, where *mean* is expected."""
    if mean <= 0:
        return 1.0
    return sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _falls(holds: Callable[[float], bool], high: float) -> float:
    """Where, from 0 to *high*, *holds* ceases to hold."""
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
