"""How likely the copies of one cluster are if all is well, and if mail is being lost.

Copies of one test at one provider share one filter's verdict, so they are counted by a
beta-binomial with intra-cluster correlation and never as independent votes.
"""

import math
from functools import lru_cache
from typing import NamedTuple

CORRELATION = 0.12  # of copies in one cluster; twelve such copies are worth five
REMOVAL_CORRELATION = 0.3  # harmless moves come in whole clusters
REMOVED_TOGETHER = 0.1  # of copies, once a provider removes mail
LOSSES = (0.3, 0.65, 0.95)  # shares of a cluster that trouble may take ...
LOSS_WEIGHTS = (0.15, 0.25, 0.6)  # ... and how often it takes so much
HARMLESS_DIP = 0.5  # a shift this small, of the log odds of arriving, is no incident
OWN_FAILURE = 0.03  # clusters that die at one provider by their own content
STRAY_COPY = 0.25  # the same for one lone copy, which may be lost for any reason
STRAY_REMOVAL = 0.01
STAYS = 0.996  # copies that nobody removes
STAYS_DIPPED = 0.98
REMOVAL_MISSES = 0.6  # clusters that a removal campaign passes by
WAYS = (0.4, 0.2, 0.4)  # of incidents that do both: on arrival only, later only, both
MOST_SURE = 0.999
SPARED = 0.1  # clusters that an incident passes by
EVERYWHERE_MISSES = 0.15  # clusters fine although their campaign fails everywhere


def log_add(*terms: float) -> float:
    """Return log of the sum of exp(*terms*), safely."""
    top = max(terms)
    if top == -math.inf:
        return top
    return top + math.log(sum(math.exp(term - top) for term in terms))


def probability(odds: float) -> float:
    """Return the probability of log *odds*, kept off 0 and 1."""
    return min(MOST_SURE, max(1e-6, 1 / (1 + math.exp(-min(30.0, max(-30.0, odds))))))


def mixed(share: float, inside: float, outside: float) -> float:
    """Return log(*share* e^*inside* + (1 - *share*) e^*outside*); 0 < share < 1."""
    inside, outside = math.log(share) + inside, math.log1p(-share) + outside
    if inside < outside:
        inside, outside = outside, inside
    return inside + math.log1p(math.exp(outside - inside))


def beta_binomial(bad: int, n: int, good_rate: float, correlation: float) -> float:
    """Return the log probability of one sequence of *n* copies of which *bad* are bad.

    Source: J. G. Skellam, JRSS B 10 (1948), 257-261; correlation = 1 / (a + b + 1).
    """
    total = (1 - correlation) / correlation
    a, b = (1 - good_rate) * total, good_rate * total
    return (
        (math.lgamma(bad + a) - math.lgamma(a) if bad else 0.0)
        + math.lgamma(n - bad + b)
        - math.lgamma(b)
        - math.lgamma(n + total)
        + math.lgamma(total)
    )


class Likelihood(NamedTuple):
    """Log probabilities of what was seen of one cluster, under what may be the case."""

    normal: float  # its usual rate
    dip: float  # a harmless shift below it
    partial: float  # a third of the copies lost
    bad: float  # an unknown share lost
    own_failure: float  # probability that it would fail here without any incident

    @property
    def is_bad(self) -> bool:
        return self.bad > self.normal

    @property
    def everywhere(self) -> float:
        """How much this cluster speaks for its campaign failing at all providers."""
        return mixed(1 - EVERYWHERE_MISSES, self.bad, self.normal) - self.null()

    def null(self, fails_everywhere: float = 0.0) -> float:
        """Log probability without an incident here.

        Args:
            fails_everywhere: probability, from the other providers, that this campaign
                fails wherever it goes.
        """
        fails = fails_everywhere + self.own_failure * (1 - fails_everywhere)
        return mixed(fails, self.bad, self.normal)

    def loss(self, fails_everywhere: float = 0.0, *, partial: bool = False) -> float:
        """Log odds, bare of any prior, that an incident hit this cluster."""
        hit = self.partial if partial else self.bad
        return mixed(1 - SPARED, hit, self.normal) - self.null(fails_everywhere)


def dipped(good_rate: float) -> float:
    """The good rate after a harmless shift: filters' thresholds move on the logit scale."""
    return shifted(good_rate, -HARMLESS_DIP)


def shifted(share: float, by: float) -> float:
    """*share*, its log odds shifted."""
    return share / (share + (1 - share) * math.exp(-by))


def first_look(bad: int, n: int, good_rate: float) -> Likelihood:
    """Judge where the copies of a cluster arrived. *n* is at least 1."""

    def at(loss: float) -> float:
        return beta_binomial(bad, n, good_rate * (1 - loss), CORRELATION)

    lost = [at(loss) for loss in LOSSES]
    return Likelihood(
        normal=at(0.0),
        dip=beta_binomial(bad, n, dipped(good_rate), CORRELATION),
        partial=lost[0],
        bad=log_add(*(math.log(w) + term for w, term in zip(LOSS_WEIGHTS, lost, strict=True))),
        own_failure=OWN_FAILURE if n > 1 else STRAY_COPY,
    )


def let_through(bad: int, n: int, good_rate: float) -> Likelihood:
    """Judge the same copies for the opposite: fewer are lost than usual.

    It is `first_look` with lost and arrived exchanged, so that `bad` is what a filter makes
    likely that has become milder, and `dip` a harmless shift towards it. *n* is at least 1.
    """
    return first_look(n - bad, n, 1 - good_rate)


def together(arrival: Likelihood, later: Likelihood) -> Likelihood:
    """Judge both: an incident may hit a cluster on arrival, later, or both ways."""

    def either(first: float, second: float) -> float:
        return log_add(
            math.log(WAYS[0]) + first + later.normal,
            math.log(WAYS[1]) + arrival.normal + second,
            math.log(WAYS[2]) + first + second,
        )

    return Likelihood(
        normal=arrival.normal + later.normal,
        dip=arrival.dip + later.dip,
        partial=either(arrival.partial, later.partial),
        bad=either(arrival.bad, later.bad),
        own_failure=arrival.own_failure,
    )


@lru_cache(maxsize=4096)
def removal(moved: int, n: int) -> Likelihood:
    """Judge how many of *n* copies that had arrived were taken away since. *n* >= 1."""
    stays = beta_binomial(moved, n, STAYS, REMOVAL_CORRELATION)
    lost = [
        mixed(REMOVAL_MISSES, stays, beta_binomial(moved, n, 1 - loss, REMOVED_TOGETHER))
        for loss in LOSSES
    ]
    return Likelihood(
        normal=stays,
        dip=beta_binomial(moved, n, STAYS_DIPPED, REMOVAL_CORRELATION),
        partial=lost[0],
        bad=log_add(*(math.log(w) + term for w, term in zip(LOSS_WEIGHTS, lost, strict=True))),
        own_failure=STRAY_REMOVAL if n > 1 else STRAY_COPY,
    )
