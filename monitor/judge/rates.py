"""How few independent copies there are among those of a cluster."""

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
