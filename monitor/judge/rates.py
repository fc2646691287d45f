"""Shares with their intervals, honest about how few independent copies there are."""

import math
from collections.abc import Iterable

from monitor.judge.likelihood import CORRELATION


def effective(n: int, *, correlation: float = CORRELATION) -> float:
    """Return how many independent copies the *n* copies of one cluster are worth.

    Source: L. Kish, Survey Sampling (1965), design effect 1 + (n - 1) rho.
    """
    return n / (1 + (n - 1) * correlation) if n else 0.0


def effective_total(sizes: Iterable[int]) -> float:
    """The same for several clusters of the given *sizes*."""
    return sum(effective(n) for n in sizes)


def wilson(hits: float, trials: float, *, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson score interval of a share; (0, 1) if nothing was tried.

    Unlike the textbook interval it stays inside [0, 1] and keeps its coverage when a
    provider has a handful of seeds. *hits* and *trials* may be fractional: an effective
    count is one.

    Args:
        hits: 0 <= hits <= trials.
        trials: copies, or effective copies.
        z: normal quantile; 1.96 covers 95 %.
    Raises:
        ValueError: *hits* and *trials* cannot be counts of one experiment.

    Source: E. B. Wilson, JASA 22 (1927), 209-212.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials} is no share")
    if trials == 0:
        return 0.0, 1.0
    share = hits / trials
    spread = z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
