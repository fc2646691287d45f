"""The clusters of one provider as columns, in the order and reading in which they are asked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitor.judge.clusters import Cluster
from monitor.judge.likelihood import MOST_SURE
from monitor.judge.memory import WINDOW_H, Memory
from monitor.judge.table import (
    ARRIVAL,
    AT,
    BOTH,
    EASED,
    EASER,
    EVERYWHERE,
    EXPLAINED,
    EXPLAINER,
    FINE,
    IN_LUCK,
    IN_TROUBLE,
    MET,
    MILDER,
    REMOVAL,
    REMOVAL_AT,
    REMOVED,
    SENDER,
    SEVERAL,
    Floats,
    Rows,
    numbered,
)

REMOVAL_TROUBLE = 0.01


class Kind(StrEnum):
    """How an incident shows."""

    ARRIVAL = "arrival"
    REMOVAL = "removal"  # after delivery
    BOTH = "both"
    MILDER = "milder"  # mail arrives that used to be lost


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

    def nulls(self) -> tuple[Floats, Floats]:
        """Log probabilities without this incident: as usual, and after a harmless dip."""
        mixture = _Mixture.of(self.everywhere + self.own_failure * (1 - self.everywhere), self.bad)
        return self._known(mixture.with_rest(self.normal)), self._known(mixture.with_rest(self.dip))

    def hit(self, alternatives: Iterable[Floats]) -> list[Floats]:
        """Log probability where a cluster that is hit has each of *alternatives*."""
        mixture = _Mixture.of(self.everywhere, self.bad)
        return [self._known(mixture.with_rest(alternative)) for alternative in alternatives]

    def _known(self, own: Floats) -> Floats:
        """Mix in what another incident did, where one did."""
        at = np.flatnonzero(self.explained)
        if len(at):
            mixture = _Mixture.of(self.explained[at], self.bad[at])
            own[..., at] = mixture.with_rest(own[..., at])
        return own


@dataclass(frozen=True, slots=True)
class _Mixture:
    """Log of a share of e^inside, and of what is left for the rest."""

    inside: Floats
    left: Floats

    @classmethod
    def of(cls, share: Floats, inside: Floats) -> "_Mixture":
        safe = np.clip(share, 1e-12, 1 - 1e-12)
        return cls(np.log(safe) + inside, np.log1p(-safe))

    def with_rest(self, outside: Floats) -> Floats:
        return np.asarray(np.logaddexp(self.inside, self.left + outside))


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
    return _by_others(memory, rows, beside, (EXPLAINED, EXPLAINER), lambda c: c.explained)


def eased(memory: Memory, rows: Rows, beside: str) -> Floats:
    """The same, of incidents for the better."""
    return _by_others(memory, rows, beside, (EASED, EASER), lambda c: c.eased)


def _by_others(
    memory: Memory,
    rows: Rows,
    beside: str,
    figures: tuple[int, int],
    incidents: Callable[[Cluster], Mapping[str, float]],
) -> Floats:
    table = memory.table
    known = table.number(figures[0], rows)
    if beside and known.any():
        by = table.key(figures[1], rows)
        known[by == table.incident(beside)] = 0.0
        for place in np.flatnonzero(by == SEVERAL).tolist():
            others = incidents(table.clusters[rows[place]]).items()
            known[place] = max((r for name, r in others if name != beside), default=0.0)
    return known
