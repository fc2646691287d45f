"""The slow channel: is a provider's mail of the last days worse than it was, a little, for most?

The scan of `scan.py` asks for mail that is lost by whole campaigns, and takes a small
common dip for harmless. A filter that tightens over a week is such a dip for days. Here each
sender is one observation: how much more of its mail is lost than usual, less what the same
campaigns lose elsewhere. The score grows with Student's t over the senders.
"""

import numpy as np

from monitor.core.incidents import Cause
from monitor.judge.claims import Claim, Suspicion
from monitor.judge.memory import Memory
from monitor.judge.scan import explained
from monitor.judge.table import (
    AT,
    LOST,
    PROVIDER,
    SENDER,
    TRIAL,
    USUAL,
    WEEKDAY,
    Floats,
    Rows,
    numbered,
)

SPANS_H = (24.0, 48.0)  # of mail that is compared with what is usual
FEWEST_SENDERS = 8
MOST_EXCESS = 0.5  # of one cluster: content that fails by itself must not decide
ALIKE = 0.3  # correlation of the campaigns of one sender
WOBBLE = 0.02  # a provider's share of lost mail moves by so much without any incident
DOUBT = 0.5  # of what the weekday is known to change: it is learnt from three or four such days
OFFSET = 2.2  # nats, so that the lines of the scan hold here too


def suspect(memory: Memory, provider: str, now: float, *, beside: str = "") -> Suspicion | None:
    """Return the evidence that all mail at *provider* fares worse of late, if there is enough."""
    rows = _of_late(memory, now, beside)
    age = now - memory.table.number(AT, rows)
    best = max(_deviation(memory, provider, rows[age <= span]) for span in SPANS_H)
    if best <= 0:
        return None
    return Suspicion(Claim(Cause.PROVIDER, provider), best * best / 2 - OFFSET, 96.0)


def _of_late(memory: Memory, now: float, beside: str) -> Rows:
    """The clusters of the longest span, at all providers, that no other incident explains."""
    table = memory.table
    rows = table.recent(now, max(SPANS_H))
    rows = rows[~np.isnan(table.number(LOST, rows))]
    return np.asarray(rows[explained(memory, rows, beside) == 0])


def _deviation(memory: Memory, provider: str, rows: Rows) -> float:
    """Student's t of the senders' excess losses in the mail of *rows*; 0 if too few."""
    table = memory.table
    excess = np.clip(
        table.number(LOST, rows) - table.number(USUAL, rows), -MOST_EXCESS, MOST_EXCESS
    )
    here = table.key(PROVIDER, rows) == table.id(PROVIDER, provider)
    if not here.any():
        return 0.0
    trial = numbered(table.key(TRIAL, rows))
    elsewhere = _means(trial[~here], excess[~here], int(trial.max()) + 1)[trial[here]]
    own = excess[here] - np.nan_to_num(elsewhere)
    sender = numbered(table.key(SENDER, rows[here]))
    counts = np.bincount(sender)
    if len(counts) < FEWEST_SENDERS:
        return 0.0
    means = np.bincount(sender, own) / counts
    weights = counts / (1 + (counts - 1) * ALIKE)
    total = weights.sum()
    mean = float((weights * means).sum() / total)
    spread = float((weights**2 * (means - mean) ** 2).sum() / total**2)
    rhythm = table.number(WEEKDAY, rows[here]).mean()
    return mean / float(np.sqrt(spread + WOBBLE**2 + (DOUBT * rhythm) ** 2))


def _means(group: Rows, values: Floats, groups: int) -> Floats:
    """Mean of *values* in each group; NaN where there is none."""
    counts = np.bincount(group, minlength=groups)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(group, values, groups) / counts)
