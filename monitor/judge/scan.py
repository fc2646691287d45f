"""The evidence for incidents at one provider, over their unknown starts and unknown victims.

For every candidate start and every share f of senders hit, each sender is one unit: hit
with probability f, or fine, or in trouble of its own here. Because the last is part of
the null, one sender can add only as much as its own trouble is improbable, whatever it
sends. Method: mixture likelihood ratios over an unknown subset of streams (Y. Xie and
D. Siegmund, Annals of Statistics 41 (2013), 670-692), in windows (T. L. Lai, 1998).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from monitor.judge.columns import Columns
from monitor.judge.memory import WINDOW_H
from monitor.judge.reputation import LEAST, MOST, ONSET_PER_H
from monitor.judge.table import Floats, Mask, Rows

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
_PARTIAL, _WHOLE = np.log(OWN_PARTIAL), np.log1p(-OWN_PARTIAL)
_ONSET = 1 - np.exp(-WINDOWS[:, None] * ONSET_PER_H)  # of a sender's trouble, in each window
LEAST_TROUBLE = 0.02  # where a sender has no history yet
_MOST_GAIN = 10.0  # nats of one sender; more than it can say anyway
_AT_ONCE = 64  # senders whose gains can be multiplied without leaving the range of floats


@dataclass(frozen=True, slots=True)
class Question:
    """Claims of one kind about the same clusters.

    Attributes:
        belongs: claims x clusters: is the cluster among the mail that the claim is about?
        alternatives: each readings x clusters: log probabilities of the clusters under what
            the incident may do; equally likely beforehand.
        reading: of each claim, its place in the alternatives.
        priors: claims x shares of senders hit x windows: their log probabilities.
    """

    belongs: Mask
    alternatives: tuple[Floats, ...]
    reading: Rows
    priors: Floats

    @classmethod
    def plain(cls, seen: Columns, belongs: Mask, priors: Floats) -> Self:
        """Claims that all lose mail alike: a third of the copies, or an unknown share."""
        reading = np.zeros(len(belongs), dtype=np.intp)
        return cls(belongs, (seen.partial[None], seen.bad[None]), reading, priors)


def evidence(columns: Columns, question: Question) -> tuple[Floats, Floats]:
    """Return the log evidence for each claim, and the likeliest window of its start."""
    sums = _Sums.over(columns, question)
    trouble = _trouble(columns, sums)
    hits = columns.hit(question.alternatives)
    partial, bad, usual, dip, *hit = sums.add(columns.partial, columns.bad, *columns.nulls(), *hits)
    own = np.log(trouble) + np.logaddexp(_PARTIAL + partial, _WHOLE + bad)
    fine = np.log1p(-trouble)
    sound = np.logaddexp(own, fine + usual)
    dipped = np.logaddexp(own, fine + dip)
    normal = sums.spread(sound).sum(axis=2)
    base = normal - np.maximum(normal, sums.spread(dipped).sum(axis=2))
    claims = len(normal)
    scores = np.empty((claims, len(question.alternatives), *question.priors.shape[1:]))
    for number, gained in enumerate(hit):
        odds = np.expm1(np.minimum(gained - sound, _MOST_GAIN))
        scores[:, number] = _mixtures(sums.spread(odds)) + base[:, None, :] + question.priors
    flat = scores.reshape(claims, -1)
    top = flat.max(axis=1)
    totals = top + np.log(np.exp(flat - top[:, None]).sum(axis=1) / len(question.alternatives))
    return totals, WINDOWS[flat.argmax(axis=1) % len(WINDOWS)]


def _mixtures(odds: Floats) -> Floats:
    """Sum over senders of log(1 + f *odds*): claims x fractions x windows."""
    fractions = FRACTIONS[None, :, None, None]
    total = np.zeros((odds.shape[0], len(FRACTIONS), odds.shape[1]))
    for first in range(0, odds.shape[2], _AT_ONCE):
        some = odds[:, None, :, first : first + _AT_ONCE]
        total += np.log(np.prod(1 + fractions * some, axis=3))
    return total


@dataclass(frozen=True, slots=True)
class _Sums:
    """Adds up clusters by window and pair of claim and sender.

    Most senders have no mail that a claim about a feature concerns: of all pairs without
    mail there is but one, the last.
    """

    pairs: int
    reading: Rows  # of each cluster that counts
    place: Rows  # its place in the columns
    key: Rows  # its cell
    cells: Rows  # claims x windows x senders: the cell of each

    @classmethod
    def over(cls, columns: Columns, question: Question) -> "_Sums":
        belongs = question.belongs
        bad = belongs & (question.alternatives[-1] > columns.normal)[question.reading]
        slot = _slots(columns.age, bad)
        claim, place = np.nonzero(belongs & (slot < len(WINDOWS)))
        shape = (len(belongs), int(columns.sender.max()) + 1)
        pair = claim * shape[1] + columns.sender[place]
        has_mail = np.zeros(shape[0] * shape[1], dtype=bool)
        has_mail[pair] = True
        number = np.cumsum(has_mail)
        pairs = int(number[-1]) + 1
        number = np.where(has_mail, number, pairs) - 1
        first = np.arange(len(WINDOWS)) * pairs
        cells = number.reshape(shape)[:, None, :] + first[:, None]
        key = slot[claim, place] * pairs + number[pair]
        return cls(pairs, question.reading[claim], place, key, cells)

    def add(self, *values: Floats) -> Floats:
        """Of each of *values* (clusters, or readings x clusters), windows x pairs: the sums."""
        sums = np.empty((len(values), len(WINDOWS), self.pairs))
        cells = len(WINDOWS) * self.pairs
        for number, each in enumerate(values):
            alike = each if each.ndim == 1 else each[0] if len(each) == 1 else None
            picked = each[self.reading, self.place] if alike is None else alike[self.place]
            sums[number] = np.bincount(self.key, picked, cells).reshape(len(WINDOWS), -1)
        for window in range(1, len(WINDOWS)):
            sums[:, window] += sums[:, window - 1]
        return sums

    def spread(self, values: Floats) -> Floats:
        """*values* of windows x pairs as claims x windows x senders."""
        return np.asarray(values.reshape(-1)[self.cells])


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
    """Windows x pairs: probability of the sender's own trouble at the provider.

    It is that before the window's first cluster, or one that began within the window.
    """
    table = np.full((len(WINDOWS), sums.pairs), np.nan)
    # Clusters are in order of age, so that the oldest of a cell is what remains in it.
    table.reshape(-1)[sums.key] = columns.in_trouble[sums.place]
    for newer, here in pairwise(table):
        np.copyto(here, newer, where=np.isnan(here))
    table = np.where(np.isnan(table), LEAST_TROUBLE, table)
    return np.asarray(np.clip(table + (1 - table) * _ONSET, LEAST, MOST))
