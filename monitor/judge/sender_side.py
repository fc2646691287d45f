"""Claims about one sender: everywhere, at one provider, or by what one campaign contains.

Scores are log odds against "nothing lasting": stray clusters, and single campaigns that
die everywhere by their own content.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from monitor.core.incidents import Cause
from monitor.judge.claims import Claim, Suspicion
from monitor.judge.clusters import Cluster
from monitor.judge.likelihood import log_add, mixed
from monitor.judge.memory import WINDOW_H, Memory, Trial
from monitor.judge.reputation import ONSET_PER_H

COLLAPSES_PER_DAY = 1 / 200  # a sender's reputation falls at many providers at once
ONE_CAMPAIGN = 0.01  # a campaign dies everywhere by its own content
PROVIDER_FAILS_PER_DAY = 1 / 60  # any provider of those watched
FEWEST_PROVIDERS = 2  # one alone cannot be told from its own trouble
# Of providers that turn against a sender, and of senders that a failing provider hits:
# the share, and how often it is that.
PROVIDER_SHARES = ((0.25, 0.15), (0.6, 0.25), (0.95, 0.6))
SENDER_SHARES = ((0.07, 0.25), (0.25, 0.25), (0.6, 0.25), (0.95, 0.25))

UNSEEN_H = 24.0  # before a sender's first mail, when its trouble may have begun as well


@dataclass(frozen=True, slots=True)
class Onset:
    """A possible start: between a campaign and the one before it."""

    at: float  # the first campaign that met it
    span_h: float  # since the one before


def suspect(
    memory: Memory, sender: str, now: float, latest: Cluster, *, also: str | None = None
) -> list[Suspicion]:
    """Return what can be held against *sender*, the best claim first.

    Args:
        latest: the sender's cluster that gave rise to the question.
        also: another provider that it has been in trouble at.
    """
    trials = [trial for trial in memory.of_sender(sender) if now - trial.at <= WINDOW_H]
    found = [
        Suspicion(Claim(Cause.SENDER, sender=sender), _everywhere(trials, COLLAPSES_PER_DAY)),
        _one_campaign(memory.trials[latest.test], sender),
        *_features(trials, sender, latest.features),
    ]
    for provider in dict.fromkeys([latest.provider, also or latest.provider]):
        claim = Claim(Cause.SENDER_AT_PROVIDER, provider, sender=sender)
        found.append(Suspicion(claim, _at_provider(trials, provider)))
    return sorted(found, key=lambda s: -s.score)


def _at_provider(trials: Iterable[Trial], provider: str) -> float:
    here = [t.clusters[provider] for t in trials if provider in t.clusters]
    losses = [(c.at, c.beyond(c.loss(c.fails_everywhere))) for c in here]
    return _over_onsets(
        ONSET_PER_H * 24,
        _onsets(at for at, _ in losses),
        lambda onset: sum(loss for at, loss in losses if at >= onset),
    )


def rival_provider(memory: Memory, sender: str, provider: str, providers: int) -> float:
    """Log odds that it is the provider after all, given how its other senders fare."""
    here = memory.at_provider(provider)
    losses = [(c, c.beyond(c.loss(c.fails_everywhere))) for c in here]

    def ratio(onset: float) -> float:
        total: dict[str, float] = {}
        for cluster, loss in losses:
            if cluster.at >= onset:
                total[cluster.sender] = total.get(cluster.sender, 0.0) + loss
        return _mean_over(SENDER_SHARES, total.values())

    onsets = _onsets(cluster.at for cluster in here if cluster.sender == sender)
    return _over_onsets(PROVIDER_FAILS_PER_DAY / providers, onsets, ratio)


def _onsets(times: Iterable[float]) -> list[Onset]:
    ordered = sorted(times)
    before = [ordered[0] - UNSEEN_H, *ordered] if ordered else []
    return [Onset(at, at - last) for last, at in zip(before, ordered, strict=False) if at > last]


def _over_onsets(per_day: float, onsets: list[Onset], ratio: Callable[[float], float]) -> float:
    """Log of the sum over possible starts: how likely each is, times e^*ratio*."""
    if not onsets:
        return -math.inf
    return log_add(*(math.log(per_day * o.span_h / 24) + ratio(o.at) for o in onsets))


def _mean_over(shares: tuple[tuple[float, float], ...], units: Iterable[float]) -> float:
    """Log likelihood ratio of units of which an unknown share is hit."""
    known = list(units)
    return log_add(
        *(math.log(often) + sum(mixed(share, u, 0.0) for u in known) for share, often in shares)
    )


def _everywhere(trials: list[Trial], per_day: float) -> float:
    """Log odds that *trials* fare badly at many providers since some start."""

    def ratio(onset: float) -> float:
        at: dict[str, float] = {}
        chance = 0.0
        for trial in trials:
            if trial.at < onset:
                continue
            campaign = 0.0
            for provider, cluster in trial.clusters.items():
                loss = cluster.unexplained
                at[provider] = at.get(provider, 0.0) + loss
                campaign += loss
            chance += mixed(ONE_CAMPAIGN, campaign, 0.0)
        if sum(loss > 0 for loss in at.values()) < FEWEST_PROVIDERS:
            return -math.inf
        return _mean_over(PROVIDER_SHARES, at.values()) - chance

    return _over_onsets(per_day, _onsets(trial.at for trial in trials), ratio)


def _one_campaign(trial: Trial, sender: str) -> Suspicion:
    odds = math.log(ONE_CAMPAIGN / (1 - ONE_CAMPAIGN))
    odds += sum(cluster.unexplained for cluster in trial.clusters.values())
    return Suspicion(Claim(Cause.CONTENT, sender=sender), odds)


def _features(trials: list[Trial], sender: str, features: Iterable[str]) -> list[Suspicion]:
    """What only some of the sender's campaigns contain, and only those fail."""
    found = []
    for feature in features:
        having = [t for t in trials if any(feature in c.features for c in t.clusters.values())]
        if len(having) < len(trials):
            score = _everywhere(having, COLLAPSES_PER_DAY)
            claim = Claim(Cause.CONTENT, sender=sender, feature=feature)
            found.append(Suspicion(claim, score - math.log(len(list(features)))))
    return found
