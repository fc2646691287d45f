"""The slow channel: is a provider's mail of the last days worse than it was, a little, for most?

The scan of `scan.py` asks for mail that is lost by whole campaigns, and takes a small
common dip for harmless. A filter that tightens over a week is such a dip for days. Here each
sender is one observation: how much more of its mail is lost than usual, less what the same
campaigns lose elsewhere. The score is the log likelihood ratio of Student's t over the
senders, with as many degrees of freedom as its variance is known by (B. L. Welch, Biometrika
34 (1947), 28-35): eight senders that happen to agree prove little.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from monitor.core.incidents import Cause, Direction
from monitor.judge.claims import Claim, Suspicion
from monitor.judge.columns import eased, explained
from monitor.judge.memory import Memory
from monitor.judge.table import (
    AT,
    LEAST_USUAL,
    LOST,
    PROVIDER,
    SENDER,
    TRIAL,
    USUAL,
    WEEKDAY,
    Floats,
    Mask,
    Rows,
    numbered,
)

SPANS_H = (24.0, 48.0)  # of mail that is compared with what is usual
FEWEST_SENDERS = 8
MOST_EXCESS = 0.5  # of one cluster: content that fails by itself must not decide
ALIKE = 0.3  # correlation of the campaigns of one sender
MOST_FREEDOM = 1000.0  # degrees; as good as a normal distribution
WOBBLE = 0.02  # a provider's share of lost mail moves by so much without any incident
DOUBT = 0.5  # of what the weekday is known to change: it is learnt from three or four such days
RARE = 0.05 * MOST_EXCESS**2  # variance of one cluster by losses of its own: five in a hundred
OFFSET = 1.0  # nats, so that the lines of the scan hold here too


def suspect(
    memory: Memory,
    provider: str,
    now: float,
    *,
    beside: str = "",
    direction: Direction = Direction.WORSE,
) -> Suspicion | None:
    """Return the evidence that all mail at *provider* fares worse of late, if there is enough.

    Args:
        direction: `better` asks the same of mail that fares better.
    """
    sign, usual = (1.0, USUAL) if direction is Direction.WORSE else (-1.0, LEAST_USUAL)
    late = _Late.of(memory, provider, _of_late(memory, now, beside), usual)
    age = now - memory.table.number(AT, late.rows)
    spans = [_evidence(memory, late.where(age <= span), sign, usual) for span in SPANS_H]
    score = sum(spans) / len(spans)  # one bad day shows in one of them, a decline in both
    if score <= 0:
        return None
    return Suspicion(Claim(Cause.PROVIDER, provider, direction=direction), score - OFFSET, 96.0)


def _of_late(memory: Memory, now: float, beside: str) -> Rows:
    """The clusters of the longest span, at all providers, that no other incident explains."""
    table = memory.table
    rows = np.flatnonzero(table.recent(now, max(SPANS_H)))
    rows = rows[~np.isnan(table.number(LOST, rows))]
    known = np.maximum(explained(memory, rows, beside), eased(memory, rows, beside))
    return table.in_order(rows[known == 0])


@dataclass(frozen=True, slots=True)
class _Late:
    """Mail of late, as arrays of one length."""

    rows: Rows
    excess: Floats  # losses beyond what is usual
    here: Mask  # is it at the provider that is asked about?
    trial: Rows

    @classmethod
    def of(cls, memory: Memory, provider: str, rows: Rows, usual: int) -> Self:
        table = memory.table
        excess = table.number(LOST, rows) - table.number(usual, rows)
        here = table.key(PROVIDER, rows) == table.id(PROVIDER, provider)
        trial = table.key(TRIAL, rows)
        trial = trial - trial.min() if len(trial) else trial
        return cls(rows, np.clip(excess, -MOST_EXCESS, MOST_EXCESS), here, trial)

    def where(self, keep: Mask) -> Self:
        return type(self)(self.rows[keep], self.excess[keep], self.here[keep], self.trial[keep])


def _evidence(memory: Memory, late: _Late, sign: float, usual: int) -> float:
    """Log likelihood ratio of the senders' excess losses in *late* mail.

    It is 0 if there are too few senders, or if there is no excess.

    Args:
        sign: -1 to ask whether less is lost, not more.
        usual: the column of what is usual.
    """
    table = memory.table
    rows = late.rows[late.here]
    if not len(rows):
        return 0.0
    sender = numbered(table.key(SENDER, rows))
    counts = np.bincount(sender)
    if len(counts) < FEWEST_SENDERS:
        return 0.0
    elsewhere = _elsewhere(late)
    if usual == LEAST_USUAL:  # where mail is being lost, all others seem to fare better
        elsewhere = np.minimum(elsewhere, 0.0)
    own = late.excess[late.here] - elsewhere
    rhythm = float(table.number(WEEKDAY, rows).mean())
    means, doubt = sign * np.bincount(sender, own) / counts, DOUBT * rhythm
    if usual == LEAST_USUAL:  # a good day shows no rare losses: neither in its mean nor its spread
        rare = RARE * (1 - float(table.number(usual, rows).mean())) / _worth(counts).sum()
        doubt = math.hypot(doubt, math.sqrt(rare))
    return agreement(means, counts, doubt)


def _worth(counts: Rows) -> Floats:
    """How many independent clusters those of each sender are worth."""
    return np.asarray(counts / (1 + (counts - 1) * ALIKE))


def agreement(means: Floats, counts: Rows, doubt: float) -> float:
    """Log likelihood ratio for *means* of senders with *counts* clusters being above 0.

    Student's t becomes the normal deviate that is as improbable (D. L. Wallace, Annals of
    Mathematical Statistics 30 (1959), 1124-1125).

    Args:
        doubt: standard error of what is usual, beside a provider's usual wobble.
    """
    weights = _worth(counts)
    weights /= weights.sum()
    mean = float(weights @ means)
    if mean <= 0:
        return 0.0
    alone = float(weights @ weights)  # 1 over the number of senders, if all were alike
    spread = float(weights**2 @ (means - mean) ** 2) / (1 - alone)
    variance = spread + WOBBLE**2 + doubt**2
    freedom = min(MOST_FREEDOM, (1 / alone - 1) * (variance / max(spread, 1e-9)) ** 2)
    square = freedom * math.log1p(mean * mean / variance / freedom)
    return square * ((8 * freedom + 1) / (8 * freedom + 3)) ** 2 / 2


def _elsewhere(late: _Late) -> Floats:
    """For the mail here: the mean excess of the same campaigns elsewhere; 0 if there is none."""
    there = ~late.here
    trial, groups = late.trial[there], int(late.trial.max()) + 1
    sums = np.bincount(trial, late.excess[there], groups)
    means = sums / np.maximum(1, np.bincount(trial, minlength=groups))
    return np.asarray(means[late.trial[late.here]])
