"""The table behind a verdict: who is hit, who is spared, and which controls speak."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from monitor.core.incidents import Evidence, Tally
from monitor.core.intervals import wilson
from monitor.judge.cases import Case
from monitor.judge.claims import Claim, Family
from monitor.judge.clusters import Cluster, Fate
from monitor.judge.memory import Memory
from monitor.judge.rates import effective
from monitor.judge.table import ARRIVAL, REMOVAL_AT, SENT, Rows

MOST_ROWS = 100  # of each part of the table


@dataclass(frozen=True, slots=True)
class Period:
    """The hours of which mail is counted."""

    since: float
    until: float
    by_removal: bool  # mail sent earlier counts if it was still watched then

    def of(self, memory: Memory, rows: Rows) -> list[Cluster]:
        """Those of *rows* whose mail met it, and was seen."""
        table = memory.table
        sent = table.number(SENT, rows)
        met = np.maximum(sent, table.number(REMOVAL_AT, rows)) if self.by_removal else sent
        holds = (self.since <= met) & (met < self.until)
        holds |= (self.since <= sent) & (sent < self.until)
        return memory.clusters(rows[holds & ~np.isnan(table.number(ARRIVAL, rows))])


def lasted(case: Case) -> Period:
    """From the first mail hit until its mail was good again, if it was."""
    return _period(case, case.start.first)


def _period(case: Case, since: float) -> Period:
    return Period(since, math.inf if case.healed is None else case.healed, case.by_removal)


def tabulate(case: Case, memory: Memory) -> Evidence:
    """Count what speaks for and against *case*, over the time it lasted.

    Others are counted from the last mail that was spared: at first, hardly anyone else
    has sent anything since the first mail that was hit.
    """
    hit = set(case.hit)
    during = lasted(case).of(memory, memory.covered(case.claim))
    covered = [cluster for cluster in during if cluster.sender in hit]
    table = memory.table
    near = _period(case, case.start.low).of(memory, table.sorted(table.live()))
    others = [c for c in near if c.sender not in hit and _is_near(case, c)]
    return Evidence(
        hit=_rows(covered, lambda c: c.sender),
        spared=_rows(others, lambda c: c.sender),
        controls=_controls(case, near, covered),
        placements=_placements(covered),
    )


def _is_near(case: Case, cluster: Cluster) -> bool:
    """Could the cluster have shown the same trouble? Then its sender was spared."""
    return case.claim.provider in {None, cluster.provider}


def _controls(case: Case, near: list[Cluster], covered: list[Cluster]) -> tuple[Tally, ...]:
    if case.claim.provider is None:
        return ()
    tests = {cluster.test for cluster in covered}
    elsewhere = [c for c in near if c.test in tests and c.provider != case.claim.provider]
    controls = _rows(elsewhere, lambda c: c.provider)
    if case.claim.family is Family.PROVIDER:
        here = [c for c in near if c.provider == case.claim.provider]
        for feature in case.claim.features:
            without = [c for c in here if _lacks(case.claim, feature, c)]
            controls += _rows(without, _same(f"without {feature}"))
    return controls


def _same(name: str) -> Callable[[Cluster], str]:
    return lambda _: name


def _lacks(claim: Claim, feature: str, cluster: Cluster) -> bool:
    """Does the cluster lack *feature*, and nothing else that *claim* is about?"""
    others = [other for other in claim.features if other != feature]
    return not replace(claim, feature=feature, second=None).has_feature(cluster) and all(
        other in cluster.features for other in others
    )


def _rows(clusters: Iterable[Cluster], name: Callable[[Cluster], str]) -> tuple[Tally, ...]:
    groups: dict[str, list[Cluster]] = {}
    for cluster in clusters:
        groups.setdefault(name(cluster), []).append(cluster)
    return tuple(_row(name, group) for name, group in list(groups.items())[:MOST_ROWS])


def _row(name: str, clusters: list[Cluster]) -> Tally:
    counts = [cluster.counts for cluster in clusters if cluster.counts is not None]
    n, bad = sum(c.n for c in counts), sum(c.bad for c in counts)
    worth = sum(effective(c.n) for c in counts)
    low, high = wilson(bad / n * worth, worth)
    expected = sum(c.expected * c.n for c in counts) / n
    return Tally(name, n=n, bad=bad, n_eff=worth, low=low, high=high, expected=expected)


def _placements(clusters: Iterable[Cluster]) -> dict[str, int]:
    fates: Counter[Fate] = Counter()
    for cluster in clusters:
        fates.update(cluster.fates.values())
    return {fate.placement.value: fates[fate] for fate in Fate if fates[fate]}
