"""The clusters of the last week, found again by test, provider and sender."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from monitor.judge.clusters import Balance, Cluster
from monitor.judge.likelihood import probability
from monitor.judge.reputation import RECOVERY_PER_H

WINDOW_H = 168.0  # the oldest start of an incident that is still looked for
MOST_CLUSTERS = 12_000  # kept at once, the newest: the snapshot stays below 5 MB
FAILS_EVERYWHERE = 0.02  # campaigns that die everywhere by their own content
AGAIN = 0.6  # and the next one of the same sender, if the last did


@dataclass(slots=True)
class Trial:
    """One test: its clusters at all providers, each the control of the others."""

    sender: str
    at: float
    prior: float  # probability that it fails everywhere, before any cluster is seen
    clusters: dict[str, Cluster] = field(default_factory=dict)
    balance: Balance = field(default_factory=Balance)

    def __post_init__(self) -> None:
        self.balance.odds = math.log(self.prior / (1 - self.prior))
        self.balance.clusters = self.clusters

    @property
    def was_compared(self) -> bool:
        """Was it seen at more than one provider, so that "everywhere" means something?"""
        return sum(c.arrival is not None for c in self.clusters.values()) > 1

    @property
    def fails_everywhere(self) -> float:
        self.balance.weigh()
        return probability(self.balance.odds + self.balance.arrivals)


@dataclass(slots=True)
class Memory:
    """Trials in the order in which they were first heard of."""

    trials: dict[str, Trial] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)  # sender -> its latest test
    size: int = 0

    def trial(self, test: str, sender: str, at: float) -> Trial:
        known = self.trials.get(test)
        if known is not None:
            return known
        prior = FAILS_EVERYWHERE
        last = self.trials.get(self.latest.get(sender, ""))
        if last is not None and last.was_compared:
            fading = math.exp(-max(0.0, at - last.at) * RECOVERY_PER_H)
            prior += AGAIN * last.fails_everywhere * fading
        self.latest[sender] = test
        return self.trials.setdefault(test, Trial(sender, at, prior))

    def add(self, trial: Trial, cluster: Cluster) -> None:
        trial.clusters[cluster.provider] = cluster
        trial.balance.is_current, cluster.balance = False, trial.balance
        self.size += 1

    def forget(self, now: float) -> None:
        """Drop what is older than the longest window, and the oldest beyond the bound."""
        while self.trials:
            test, trial = next(iter(self.trials.items()))
            if now - trial.at <= WINDOW_H and self.size <= MOST_CLUSTERS:
                break
            del self.trials[test]
            self.size -= len(trial.clusters)
            if self.latest.get(trial.sender) == test:
                del self.latest[trial.sender]

    def __iter__(self) -> Iterator[Cluster]:
        for trial in self.trials.values():
            yield from trial.clusters.values()

    def at_provider(self, provider: str) -> list[Cluster]:
        found = (trial.clusters.get(provider) for trial in self.trials.values())
        return [cluster for cluster in found if cluster is not None]

    def of_sender(self, sender: str) -> list[Trial]:
        return [trial for trial in self.trials.values() if trial.sender == sender]

    def snapshot(self) -> dict[str, Any]:
        return {
            "trials": [
                [test, t.sender, t.at, t.prior, [c.snapshot() for c in t.clusters.values()]]
                for test, t in self.trials.items()
            ],
            "latest": self.latest,
        }

    @classmethod
    def restore(cls, body: dict[str, Any]) -> "Memory":
        memory = cls(latest=dict(body["latest"]))
        for test, sender, at, prior, rows in body["trials"]:
            trial = memory.trials.setdefault(test, Trial(sender, at, prior))
            for row in rows:
                memory.add(trial, Cluster.restore(row))
        return memory
