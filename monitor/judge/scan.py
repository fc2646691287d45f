"""The evidence for incidents at one provider, over their unknown starts and unknown victims.

For every candidate start and every share f of senders hit, each sender is one unit: hit
with probability f, or fine, or in trouble of its own here. Because the last is part of
the null, one sender can add only as much as its own trouble is improbable, whatever it
sends. Method: mixture likelihood ratios over an unknown subset of streams (Y. Xie and
D. Siegmund, Annals of Statistics 41 (2013), 670-692), in windows (T. L. Lai, 1998).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitor.judge.likelihood import MOST_SURE
from monitor.judge.memory import WINDOW_H, Memory
from monitor.judge.reputation import LEAST, MOST, ONSET_PER_H
from monitor.judge.table import (
    ARRIVAL,
    AT,
    BOTH,
    EASED,
    EVERYWHERE,
    EXPLAINED,
    FINE,
    IN_LUCK,
    IN_TROUBLE,
    MET,
    MILDER,
    REMOVAL,
    REMOVAL_AT,
    REMOVED,
    SENDER,
    Floats,
    Mask,
    Rows,
    numbered,
)


class Kind(StrEnum):
    """How an incident shows."""

    ARRIVAL = "arrival"
    REMOVAL = "removal"  # after delivery
    BOTH = "both"
    MILDER = "milder"  # mail arrives that used to be lost


WINDOWS = np.array([1.5, 2.5, 4.0, 6.5, 12.0, 24.0, 48.0, 96.0, WINDOW_H])  # hours ago
FRACTIONS = np.array([0.07, 0.25, 0.6, 0.95])  # of the senders that are hit
# Few senders over many days is what chance looks like: several reputations that fell in
# one week. Such starts get a tenth of the others' weight.
_CHANCE = np.where((FRACTIONS[:, None] < 0.1) & (WINDOWS[None, :] > 90), 0.1, 1.0)


def _priors(*fractions: float) -> Floats:
    weights = np.array(fractions)[:, None] * _CHANCE
    return np.asarray(np.log(weights / weights.sum()))


ANY_SHARE = _priors(0.25, 0.25, 0.25, 0.25)
MOSTLY_ALL = _priors(0.1, 0.1, 0.2, 0.6)  # a rule about a feature hits nearly all who have it
OWN_PARTIAL = 0.3  # a sender's own trouble takes a third of its copies so often
LEAST_TROUBLE = 0.02  # where a sender has no history yet
REMOVAL_TROUBLE = 0.01
_MOST_GAIN = 10.0  # nats of one sender; more than it can say anyway
_AT_ONCE = 64  # senders whose gains can be multiplied without leaving the range of floats
# For each kind: columns of its likelihood, of its hour, and of the odds of its campaign.
_READ = {
    Kind.ARRIVAL: (ARRIVAL, AT, EVERYWHERE),
    Kind.REMOVAL: (REMOVAL, REMOVAL_AT, REMOVED),
    Kind.BOTH: (BOTH, MET, EVERYWHERE),
    Kind.MILDER: (MILDER, AT, FINE),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The clusters of one provider, newest first, as arrays of one length."""

    rows: Rows
    age: Floats  # hours
    sender: Rows
    normal: Floats
    dip: Floats
    partial: Floats
    bad: Floats
    own_failure: Floats
    everywhere: Floats  # probability that the campaign fails at all providers
    in_trouble: Floats  # probability that the sender was in trouble here before
    explained: Floats  # probability that another incident did it

    def __len__(self) -> int:
        return len(self.rows)

    def null(self, normal: Floats) -> Floats:
        """Log probability without this incident, where a sound cluster has *normal*."""
        fails = self.everywhere + self.own_failure * (1 - self.everywhere)
        return self._known(_mixed(fails, self.bad, normal))

    def hit(self, alternative: Floats) -> Floats:
        """Log probability where a cluster that is hit has *alternative*."""
        return self._known(_mixed(self.everywhere, self.bad, alternative))

    def _known(self, own: Floats) -> Floats:
        if not self.explained.any():
            return own
        return np.where(self.explained > 0, _mixed(self.explained, self.bad, own), own)


def _mixed(share: Floats, inside: Floats, outside: Floats) -> Floats:
    safe = np.clip(share, 1e-12, 1 - 1e-12)
    return np.logaddexp(np.log(safe) + inside, np.log1p(-safe) + outside)


def probabilities(odds: Floats) -> Floats:
    """Probabilities of log *odds*, kept off 0 and 1."""
    return np.clip(1 / (1 + np.exp(-np.clip(odds, -30, 30))), 1e-6, MOST_SURE)


def columns(memory: Memory, provider: str, now: float, kind: Kind, *, beside: str = "") -> Columns:
    """What the clusters at *provider* say, read as *kind*.

    Args:
        beside: an incident that is being judged, and so must not explain its own mail.
    """
    table = memory.table
    figures, hour, odds = _READ[kind]
    rows = table.sorted(table.at(provider))
    seen = table.likelihood(figures, rows)
    age = now - table.number(hour, rows)
    if kind is Kind.BOTH:  # where there is no more than an arrival, that is all there is
        bare = np.isnan(seen[0])
        seen[:, bare] = table.likelihood(ARRIVAL, rows[bare])
    keep = np.flatnonzero(~np.isnan(seen[0]) & (age >= 0) & (age <= WINDOW_H))
    keep = keep[np.argsort(age[keep], kind="stable")]
    rows, age = rows[keep], age[keep]
    is_milder = kind is Kind.MILDER
    trouble = table.number(IN_LUCK if is_milder else IN_TROUBLE, rows)
    normal, dip, partial, bad, own_failure = seen[:, keep]
    return Columns(
        rows,
        age,
        numbered(table.key(SENDER, rows)),
        normal,
        dip,
        partial,
        bad,
        own_failure,
        probabilities(table.number(odds, rows)),
        np.full(len(rows), REMOVAL_TROUBLE) if kind is Kind.REMOVAL else trouble,
        (eased if is_milder else explained)(memory, rows, beside),
    )


def explained(memory: Memory, rows: Rows, beside: str) -> Floats:
    """Probability, for each of *rows*, that an incident other than *beside* is why."""
    known = memory.table.number(EXPLAINED, rows)
    if beside:
        for place in np.flatnonzero(known).tolist():
            others = memory.table.clusters[rows[place]].explained.items()
            known[place] = max((r for name, r in others if name != beside), default=0.0)
    return known


def eased(memory: Memory, rows: Rows, beside: str) -> Floats:
    """The same, of incidents for the better."""
    known = memory.table.number(EASED, rows)
    if beside:
        for place in np.flatnonzero(known).tolist():
            others = memory.table.clusters[rows[place]].eased.items()
            known[place] = max((r for name, r in others if name != beside), default=0.0)
    return known


@dataclass(frozen=True, slots=True)
class Question:
    """Claims of one kind about the same clusters.

    Attributes:
        belongs: claims x clusters: is the cluster among the mail that the claim is about?
        alternatives: arrays of log probabilities of the clusters under what the incident may
            do, claims x clusters, or clusters if it is the same for all; equally likely beforehand.
        priors: claims x shares of senders hit x windows: their log probabilities.
    """

    belongs: Mask
    alternatives: tuple[Floats, ...]
    priors: Floats


def evidence(columns: Columns, question: Question) -> tuple[Floats, Floats]:
    """Return the log evidence for each claim, and the likeliest window of its start."""
    sums = _Sums.over(columns, question)
    shape = sums.shape
    trouble = _trouble(columns, sums)
    own = np.log(trouble) + np.logaddexp(
        np.log(OWN_PARTIAL) + sums.add(columns.partial),
        np.log1p(-OWN_PARTIAL) + sums.add(columns.bad),
    )
    fine = np.log1p(-trouble)
    sound = np.logaddexp(own, fine + sums.add(columns.null(columns.normal)))
    dipped = np.logaddexp(own, fine + sums.add(columns.null(columns.dip)))
    normal = sound.sum(axis=2)
    base = normal - np.maximum(normal, dipped.sum(axis=2))
    scores = np.empty((shape[0], len(question.alternatives), len(FRACTIONS), shape[1]))
    for number, alternative in enumerate(question.alternatives):
        gain = sums.add(columns.hit(alternative)) - sound
        scores[:, number] = _mixtures(gain) + base[:, None, :] + question.priors
    flat = scores.reshape(shape[0], -1)
    top = flat.max(axis=1)
    totals = top + np.log(np.exp(flat - top[:, None]).sum(axis=1) / len(question.alternatives))
    return totals, WINDOWS[flat.argmax(axis=1) % shape[1]]


def _mixtures(gain: Floats) -> Floats:
    """Sum over senders of log(1 - f + f e^*gain*): claims x fractions x windows."""
    odds = np.expm1(np.minimum(gain, _MOST_GAIN))[:, None]
    fractions = FRACTIONS[None, :, None, None]
    total = np.zeros((gain.shape[0], len(FRACTIONS), gain.shape[1]))
    for first in range(0, gain.shape[2], _AT_ONCE):
        total += np.log(np.prod(1 + fractions * odds[..., first : first + _AT_ONCE], axis=3))
    return total


@dataclass(frozen=True, slots=True)
class _Sums:
    """Adds up clusters by claim, window and sender."""

    shape: tuple[int, int, int]
    claim: Rows  # of each cluster that counts
    place: Rows  # its place in the columns
    key: Rows  # its cell

    @classmethod
    def over(cls, columns: Columns, question: Question) -> "_Sums":
        belongs = question.belongs
        bad = belongs & (question.alternatives[-1] > columns.normal)
        slot = _slots(columns.age, bad)
        claim, place = np.nonzero(belongs & (slot < len(WINDOWS)))
        shape = (len(belongs), len(WINDOWS), int(columns.sender.max()) + 1 if len(columns) else 0)
        cell = claim * shape[1] + slot[claim, place]
        return cls(shape, claim, place, cell * shape[2] + columns.sender[place])

    def add(self, values: Floats) -> Floats:
        """Sums of *values* (clusters, or claims x clusters) over each window."""
        picked = values[self.place] if values.ndim == 1 else values[self.claim, self.place]
        size = self.shape[0] * self.shape[1] * self.shape[2]
        return np.asarray(np.cumsum(np.bincount(self.key, picked, size).reshape(self.shape), 1))


def _slots(age: Floats, bad: Mask) -> Rows:
    """Claims x clusters: the first window that holds the cluster; as many as windows if none.

    Windows reach back to the oldest bad cluster within: no incident starts with mail that
    fared well, and senders that mail in rounds would fall between fixed windows. Ages ascend.
    """
    claims, n = bad.shape
    oldest = np.maximum.accumulate(np.where(bad, age, 0.0), axis=1)
    last = np.searchsorted(age, WINDOWS, side="right") - 1
    starts = np.where(last >= 0, oldest[:, np.maximum(last, 0)], 0.0)
    inside = np.searchsorted(age, starts.ravel(), side="right")  # clusters, by window
    marks = np.bincount(
        np.repeat(np.arange(claims) * (n + 1), len(WINDOWS)) + inside, minlength=claims * (n + 1)
    )
    return np.asarray(np.cumsum(marks.reshape(claims, n + 1)[:, :n], axis=1), dtype=np.intp)


def oldest_bad(bad: Floats, windows: Floats) -> Floats:
    """Ages of the candidate starts: the oldest of the *bad* clusters' ages in each window."""
    oldest = np.zeros(len(windows))
    for index, window in enumerate(windows):
        inside = bad[bad <= window]
        oldest[index] = inside.max() if len(inside) else 0.0
    return oldest


def _trouble(columns: Columns, sums: _Sums) -> Floats:
    """Probability, by claim, window and sender, of the sender's own trouble at the provider.

    It is that before the window's first cluster, or one that began within the window.
    """
    table = np.full(sums.shape, np.nan)
    # Clusters are in order of age, so that the oldest of a cell is what remains in it.
    table.reshape(-1)[sums.key] = columns.in_trouble[sums.place]
    for window in range(1, len(WINDOWS)):
        newer, here = table[:, window - 1], table[:, window]
        np.copyto(here, newer, where=np.isnan(here))
    table = np.where(np.isnan(table), LEAST_TROUBLE, table)
    onset = 1 - np.exp(-WINDOWS[None, :, None] * ONSET_PER_H)
    return np.asarray(np.clip(table + (1 - table) * onset, LEAST, MOST))
