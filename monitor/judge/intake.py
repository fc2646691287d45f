"""Takes observations in: clusters grow, baselines learn, seeds are watched."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from monitor.core.observations import Observation
from monitor.judge.baseline import MOST_BAD, Baseline, logit
from monitor.judge.clusters import LONGEST, MOST_FEATURES, Cluster, was_lost
from monitor.judge.hours import hours
from monitor.judge.levels import Levels
from monitor.judge.likelihood import OWN_FAILURE, Likelihood
from monitor.judge.measure import counted, measure
from monitor.judge.memory import WINDOW_H, Memory
from monitor.judge.rates import effective
from monitor.judge.reputation import Reputation
from monitor.judge.seeds import SeedHealth

LEAST_LEARNT = 0.08  # of an unusual cluster: a true change of level is learnt in weeks
KNOWN = 10.0  # effective copies of a sender at a provider, from which on something is usual
MEASURED_AGAIN_H = 36.0  # a broken seed is known after two losses: older mail is not among them
FEWEST_TO_COMPARE = 3  # copies, before one of them can be told from the others


@dataclass(slots=True)
class Seen:
    """Which observations have been taken in, day by day, as short digests."""

    days: dict[int, set[str]] = field(default_factory=dict)

    def is_new(self, name: str, at: float) -> bool:
        """Note the observation; False if it was noted before."""
        digest = hashlib.blake2b(name.encode(errors="replace"), digest_size=6).hexdigest()
        for digests in self.days.values():
            if digest in digests:
                return False
        self.days.setdefault(int(at // 24), set()).add(digest)
        return True

    def forget(self, now: float) -> None:
        oldest = int((now - WINDOW_H) // 24)
        self.days = {day: digests for day, digests in self.days.items() if day >= oldest}

    def snapshot(self) -> dict[str, str]:
        return {str(day): "".join(sorted(digests)) for day, digests in self.days.items()}

    @classmethod
    def restore(cls, body: dict[str, str]) -> "Seen":
        size = 12  # hexadecimal digits of a digest
        return cls(
            {
                int(day): {text[i : i + size] for i in range(0, len(text), size)}
                for day, text in body.items()
            }
        )


@dataclass(frozen=True, slots=True)
class News:
    """What an observation changed."""

    cluster: Cluster
    is_news: bool  # a copy's fate became known, or changed
    seeds: tuple[str, ...]  # whose copies became known


def _sound(seen: Likelihood, trouble: float) -> float:
    """Probability that a cluster met nothing unusual; *trouble* is that of its sender."""
    fails = trouble + OWN_FAILURE * (1 - trouble)
    odds = (1 - fails) / (fails * math.exp(min(50.0, max(-50.0, seen.bad - seen.normal))))
    return odds / (1 + odds)


@dataclass(slots=True)
class Intake:
    """All that is learnt from observations. Incidents are known only by what they explain."""

    memory: Memory = field(default_factory=Memory)
    baseline: Baseline = field(default_factory=Baseline)
    reputation: Reputation = field(default_factory=Reputation)
    luck: Reputation = field(default_factory=Reputation)  # mail that fares better than usual
    levels: Levels = field(default_factory=Levels)
    health: SeedHealth = field(default_factory=SeedHealth)
    seen: Seen = field(default_factory=Seen)

    def take(
        self,
        observation: Observation,
        explain: Callable[[Cluster], None],
        *,
        is_history: bool = False,
    ) -> News:
        """Take in one observation, which is new.

        Args:
            explain: tells a cluster which incidents may have hit it.
            is_history: it is only to be learnt from, so that the first mail of a sender at a
                provider may be taken for usual, whatever became of it.
        """
        at = hours(observation.at)
        cluster = self._cluster(observation, at)
        was_judged = cluster.arrival is not None
        change = cluster.see(observation, at)
        for seed in change.decided:
            region = observation.regions.get(seed, "")
            self.health.of(cluster.provider, seed).region = region[:LONGEST]
        if change.is_news or change.is_watched:
            measure(cluster, self.health, anew=change.is_news)
            self.memory.changed(cluster)
            explain(cluster)
        else:
            self.memory.looked(cluster)
        copies = self.baseline.copies(cluster.sender, cluster.provider)
        is_first = is_history and copies < KNOWN
        if change.decided:
            weight = 1.0 if is_first else self._normality(cluster)
            self._learn(cluster, change.decided, explain, weight)
        if not was_judged and cluster.arrival is not None and not is_first:
            self._learn_standing(cluster, cluster.arrival, at)
        return News(cluster, change.is_news, change.decided)

    def forget(self, now: float) -> None:
        self.memory.forget(now)

    def forget_silent(self, now: float) -> None:
        """Drop what is a week old or has been silent for months; worth doing once a day."""
        self.seen.forget(now)
        self.baseline.forget(now)
        self.reputation.forget(now)
        self.luck.forget(now)
        self.levels.note(int(now // 24), self.baseline.levels())
        self.health.forget(now)

    def _cluster(self, observation: Observation, at: float) -> Cluster:
        test, provider = observation.test[:LONGEST], observation.provider[:LONGEST]
        trial = self.memory.trial(test, observation.sender[:LONGEST], at)
        known = trial.clusters.get(provider)
        if known is not None:
            return known
        features = sorted(f[:LONGEST] for f in observation.features)[:MOST_FEATURES]
        sent = min(at, hours(observation.sent_at))
        cluster = Cluster(test, provider, trial.sender, tuple(features), sent, at, at)
        cluster.any_day = self.baseline.expected(trial.sender, provider)
        cluster.usual = min(MOST_BAD, self.baseline.rhythm.on(provider, at, cluster.any_day))
        cluster.in_trouble = self.reputation.in_trouble(trial.sender, provider, at)
        cluster.in_luck = self.luck.in_trouble(trial.sender, provider, at)
        # A day on which mail usually fares badly, and does not this time, is no news either.
        rhythm = logit(cluster.usual) - logit(cluster.any_day)
        cluster.ebb = self.levels.ebb(provider) - max(0.0, rhythm)
        self.memory.add(trial, cluster)
        return cluster

    def _learn(
        self,
        cluster: Cluster,
        decided: tuple[str, ...],
        explain: Callable[[Cluster], None],
        weight: float,
    ) -> None:
        self._learn_usual(cluster, decided, weight)
        broken = self._learn_seeds(cluster, decided, weight)
        if broken:
            self._measure_again(cluster, broken, explain)

    def _measure_again(
        self, latest: Cluster, broken: set[str], explain: Callable[[Cluster], None]
    ) -> None:
        """Take the losses of *broken* seeds out of the mail in which they became broken."""
        for cluster in self.memory.at_provider(latest.provider):
            if latest.at - cluster.at > MEASURED_AGAIN_H:
                continue
            if any(was_lost(cluster.fates[a]) for a in broken & cluster.fates.keys()):
                measure(cluster, self.health)
                self.memory.changed(cluster)
                explain(cluster)

    @staticmethod
    def _normality(cluster: Cluster) -> float:
        """How much a cluster may teach: the probability that it met nothing unusual.

        One that an open incident explains teaches nothing.
        """
        seen = cluster.arrival
        if seen is None:
            return 0.0
        weight = max(LEAST_LEARNT, _sound(seen, cluster.in_trouble))
        if cluster.eased and cluster.is_eased:
            return LEAST_LEARNT * (1 - max(cluster.eased.values()))
        return weight * (1 - max(cluster.explained.values(), default=0.0) * seen.is_bad)

    def _learn_standing(self, cluster: Cluster, seen: Likelihood, at: float) -> None:
        """Is the sender in trouble here of its own, or in luck?"""
        place = cluster.sender, cluster.provider, at
        self.reputation.update(*place, cluster.beyond(seen.bad - seen.null()))
        if cluster.milder is not None and not cluster.eased:
            self.luck.update(*place, cluster.milder.bad - cluster.milder.null())

    def _learn_usual(self, cluster: Cluster, decided: tuple[str, ...], weight: float) -> None:
        fates = counted(cluster, self.health)
        new = [fates[address] for address in decided if address in fates]
        if new:
            each = weight * effective(len(fates)) / len(fates)
            lost = sum(was_lost(fate) for fate in new)
            self.baseline.learn(
                cluster.sender, cluster.provider, each * lost, each * len(new), cluster.at
            )
            self.baseline.rhythm.learn(
                cluster.provider,
                cluster.at,
                lost / len(new),
                cluster.any_day,
                self._typical(cluster) * len(new) / len(fates),
            )

    @staticmethod
    def _typical(cluster: Cluster) -> float:
        """How much a cluster may teach of its weekday.

        A bad Monday is made of clusters that look unusual, so that all count alike, save those
        that an incident explains.
        """
        return 1 - cluster.known * cluster.is_bad

    def _learn_seeds(self, cluster: Cluster, decided: tuple[str, ...], weight: float) -> set[str]:
        """Let each seed learn from its copy; return those that are left out from now on."""
        fates, broken = cluster.fates, set()
        lost = sum(was_lost(fate) for fate in fates.values())
        # In an incident, chance alone leaves some seed the only one that is hit.
        enough = len(fates) >= FEWEST_TO_COMPARE and not cluster.explained
        for address in decided:
            is_bad = was_lost(fates[address])
            others = (lost - is_bad) / (len(fates) - 1) if enough else math.nan
            seed = self.health.of(cluster.provider, address)
            was_left_out = seed.is_left_out
            seed.learn(fates[address], expected=cluster.usual, weight=weight, others_bad=others)
            seed.at = max(seed.at, cluster.at)
            if seed.is_left_out and not was_left_out:
                broken.add(address)
        return broken

    def snapshot(self) -> dict[str, Any]:
        return {
            "memory": self.memory.snapshot(),
            "baseline": self.baseline.snapshot(),
            "reputation": self.reputation.snapshot(),
            "luck": self.luck.snapshot(),
            "levels": self.levels.snapshot(),
            "health": self.health.snapshot(),
            "seen": self.seen.snapshot(),
        }

    @classmethod
    def restore(cls, body: dict[str, Any]) -> "Intake":
        return cls(
            Memory.restore(body["memory"]),
            Baseline.restore(body["baseline"]),
            Reputation.restore(body["reputation"]),
            Reputation.restore(body["luck"]),
            Levels.restore(body["levels"]),
            SeedHealth.restore(body["health"]),
            Seen.restore(body["seen"]),
        )
