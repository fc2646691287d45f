"""The clusters of the last week, found again by test, provider and sender."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monitor.judge.claims import REGION, Claim
from monitor.judge.clusters import REMOVED_EVERYWHERE_ODDS, Cluster
from monitor.judge.likelihood import probability
from monitor.judge.lists import Lists
from monitor.judge.reputation import RECOVERY_PER_H
from monitor.judge.table import Mask, Rows, Table

WINDOW_H = 168.0  # the oldest start of an incident that is still looked for
MOST_CLUSTERS = 12_000  # kept at once, the newest: the snapshot stays below 5 MB
FAILS_EVERYWHERE = 0.02  # campaigns that die everywhere by their own content
FINE_EVERYWHERE = 0.02  # and that fare better than usual everywhere
AGAIN = 0.6  # and the next one of the same sender, if the last did
FEWEST_DEAD = 1024  # rows of forgotten clusters before the table is built anew


@dataclass(slots=True)
class Trial:
    """One test: its clusters at all providers, each the control of the others."""

    sender: str
    at: float
    prior: float  # probability that it fails everywhere, before any cluster is seen
    number: int
    fine_prior: float = FINE_EVERYWHERE  # ... or fares better than usual everywhere
    clusters: dict[str, Cluster] = field(default_factory=dict)

    @property
    def was_compared(self) -> bool:
        """Was it seen at more than one provider, so that "everywhere" means something?"""
        return sum(c.arrival is not None for c in self.clusters.values()) > 1

    @property
    def fails_everywhere(self) -> float:
        says = sum(cluster.arrival_says for cluster in self.clusters.values())
        return probability(math.log(self.prior / (1 - self.prior)) + says)

    @property
    def fine_everywhere(self) -> float:
        says = sum(cluster.milder_says for cluster in self.clusters.values())
        return probability(math.log(self.fine_prior / (1 - self.fine_prior)) + says)

    def compare(self) -> None:
        """Tell each cluster whether the campaign fails at half of the others, or at fewer."""
        known = [cluster for cluster in self.clusters.values() if cluster.arrival is not None]
        bad = sum(cluster.is_bad for cluster in known)
        for cluster in self.clusters.values():
            itself = cluster.arrival is not None
            others = len(known) - itself
            bad_others = bad - (itself and cluster.is_bad)
            cluster.is_widely_bad = 2 * bad_others >= max(2, others)
            cluster.is_spared_elsewhere = 2 * bad_others < others

    def weigh(self) -> None:
        """Tell each cluster what the others say of the campaign."""
        arrivals = sum(cluster.arrival_says for cluster in self.clusters.values())
        removals = sum(cluster.removal_says for cluster in self.clusters.values())
        eased = sum(cluster.milder_says for cluster in self.clusters.values())
        odds = math.log(self.prior / (1 - self.prior)) + arrivals
        fine_odds = math.log(self.fine_prior / (1 - self.fine_prior)) + eased
        for cluster in self.clusters.values():
            cluster.everywhere_odds = odds - cluster.arrival_says
            cluster.removed_odds = REMOVED_EVERYWHERE_ODDS + removals - cluster.removal_says
            cluster.fine_odds = fine_odds - cluster.milder_says


@dataclass(slots=True)
class Memory:
    """Trials in the order in which they were first heard of."""

    trials: dict[str, Trial] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)  # sender -> its latest test
    size: int = 0
    heard: int = 0  # trials so far
    _table: Table = field(default_factory=Table)
    _stale: dict[str, set[str]] = field(default_factory=dict)  # by test: where clusters changed

    @property
    def table(self) -> Table:
        """The clusters as columns, up to date."""
        if self._stale:
            for test, changed in self._stale.items():
                if test in self.trials:
                    self._write(self.trials[test], changed)
            self._stale.clear()
        return self._table

    def _write(self, trial: Trial, changed: set[str]) -> None:
        """Write what is new of *trial*: all of what *changed*, and what the others take from it."""
        trial.weigh()
        for provider, cluster in trial.clusters.items():
            if provider in changed:
                self._table.write(cluster)
            else:
                self._table.weigh(cluster)

    def trial(self, test: str, sender: str, at: float) -> Trial:
        known = self.trials.get(test)
        if known is not None:
            return known
        prior, fine_prior = FAILS_EVERYWHERE, FINE_EVERYWHERE
        last = self.trials.get(self.latest.get(sender, ""))
        if last is not None and last.was_compared:
            fading = math.exp(-max(0.0, at - last.at) * RECOVERY_PER_H)
            prior += AGAIN * last.fails_everywhere * fading
            fine_prior += AGAIN * last.fine_everywhere * fading
        self.latest[sender] = test
        return self._new(test, sender, at, prior, fine_prior)

    def _new(self, test: str, sender: str, at: float, prior: float, fine: float) -> Trial:
        self.heard += 1
        self.trials[test] = trial = Trial(sender, at, prior, self.heard, fine)
        return trial

    def add(self, trial: Trial, cluster: Cluster) -> None:
        self._table.add(cluster, trial.number << 8 | min(255, len(trial.clusters)))
        trial.clusters[cluster.provider] = cluster
        self.size += 1
        self._stale.setdefault(cluster.test, set()).add(cluster.provider)

    def changed(self, cluster: Cluster) -> None:
        """Note that what *cluster* says has changed."""
        self.trials[cluster.test].compare()
        self._stale.setdefault(cluster.test, set()).add(cluster.provider)

    def weighed(self, cluster: Cluster) -> None:
        """Note that what is known of *cluster* has changed, not what it says."""
        self._stale.setdefault(cluster.test, set())

    def looked(self, cluster: Cluster) -> None:
        self._table.touch(cluster)

    def forget(self, now: float) -> None:
        """Drop what is older than the longest window, and the oldest beyond the bound."""
        while self.trials:
            test, trial = next(iter(self.trials.items()))
            if now - trial.at <= WINDOW_H and self.size <= MOST_CLUSTERS:
                break
            del self.trials[test]
            self.size -= len(trial.clusters)
            for cluster in trial.clusters.values():
                self._table.drop(cluster)
            if self.latest.get(trial.sender) == test:
                del self.latest[trial.sender]
        if self._table.dead > max(FEWEST_DEAD, self.size // 2):
            self._rebuild()

    def _rebuild(self) -> None:
        self._table = Table()
        for trial in self.trials.values():
            for place, cluster in enumerate(trial.clusters.values()):
                self._table.add(cluster, trial.number << 8 | min(255, place))
                self._table.write(cluster)

    def __iter__(self) -> Iterator[Cluster]:
        for trial in self.trials.values():
            yield from trial.clusters.values()

    def at_provider(self, provider: str) -> list[Cluster]:
        found = (trial.clusters.get(provider) for trial in self.trials.values())
        return [cluster for cluster in found if cluster is not None]

    def clusters(self, rows: Rows) -> list[Cluster]:
        known = self._table.clusters
        return [known[row] for row in rows.tolist()]

    def covered(self, claim: Claim) -> Rows:
        """Rows of the clusters that *claim* would have hit while it lasted."""
        table = self.table
        mask: Mask = table.live() if claim.provider is None else table.at(claim.provider)
        if claim.sender is not None:
            mask = mask & table.of(claim.sender)
        wanted = claim.wanted
        if wanted is None and claim.second is None:
            return table.sorted(mask)
        rows = np.flatnonzero(mask)
        if claim.second is not None:
            rows = rows[table.having([claim.second], rows)[0]]
        if wanted is not None:
            has = table.having([wanted], rows)[0]
            if wanted.startswith(REGION) and claim.provider is not None:
                region = wanted.removeprefix(REGION)
                has |= ~np.isnan(table.regional(claim.provider, region, rows))
            rows = rows[has]
        return table.in_order(rows)

    def snapshot(self) -> dict[str, Any]:
        lists = Lists()
        trials = [
            [
                *(test, t.sender, t.at, t.prior, t.fine_prior),
                [cluster.snapshot(lists) for cluster in t.clusters.values()],
            ]
            for test, t in self.trials.items()
        ]
        return {"trials": trials, "lists": lists.snapshot(), "latest": self.latest}

    @classmethod
    def restore(cls, body: dict[str, Any]) -> "Memory":
        memory = cls(latest=dict(body["latest"]))
        for test, sender, at, prior, fine, rows in body["trials"]:
            trial = memory._new(test, sender, at, prior, fine)
            for row in rows:
                memory.add(trial, Cluster.restore(row, body["lists"], test=test, sender=sender))
            trial.compare()
        return memory
