"""Claims against one provider: all its mail, or the mail of one feature or region."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from monitor.core.incidents import Cause
from monitor.judge.claims import FEWEST_VICTIMS, REGION, Claim, Suspicion
from monitor.judge.clusters import Cluster
from monitor.judge.memory import Memory
from monitor.judge.scan import MOSTLY_ALL, Columns, Floats, Kind, columns, evidence

KINDS = ((Kind.ARRIVAL, 0.6), (Kind.REMOVAL, 0.2), (Kind.BOTH, 0.2))  # how incidents show
ALL_MAIL, ANY_FEATURE, ANY_REGION = 0.5, 0.3, 0.2  # what they concern
FEWEST_FEATURES, FEWEST_REGIONS = 4, 4  # that the prior is shared among, at least
MOST_REGIONS = 16
REMOVING_H = 24.0  # mail removed longer ago was asked about when it was removed
MOST_FEATURES = 12  # that are asked about: those of most victims
# Filters' rules speak of links first; what many share anyway (an ESP) seldom is the cause.
LIKELIER = {"url": 1.0, "attach": 1.0, "esp": 0.6}
OTHERWISE = 0.8


def suspect(
    memory: Memory,
    provider: str,
    now: float,
    *,
    features: Iterable[str] | None = None,
    beside: str = "",
) -> list[Suspicion]:
    """Return what can be held against *provider*, the best claim first.

    Args:
        features: those to ask about; by default all that several victims have.
        beside: an open incident that is being judged anew, and must not explain itself.
    """
    clusters = memory.at_provider(provider)
    shared = shared_features(clusters)
    among = max(FEWEST_FEATURES, len(shared))
    asked = _of_victims(clusters, shared if features is None else shared & set(features))
    removing = {c.sender for c in clusters if _was_removed(c, now)}
    best: dict[Claim, Suspicion] = {}
    for kind, share in KINDS:
        if kind is not Kind.ARRIVAL and len(removing) < FEWEST_VICTIMS:
            continue
        seen = columns(clusters, now, kind, beside=beside)
        for suspicion in _of_kind(seen, provider, asked, among, kind):
            score = suspicion.score + math.log(share)
            known = best.get(suspicion.claim)
            if known is None or score > known.score:
                best[suspicion.claim] = replace(suspicion, score=score)
    return sorted(best.values(), key=lambda s: -s.score)


def _was_removed(cluster: Cluster, now: float) -> bool:
    return (
        cluster.removal is not None
        and cluster.removal.is_bad
        and now - cluster.removal_at <= REMOVING_H
    )


def _of_kind(
    seen: Columns, provider: str, features: list[str], among: int, kind: Kind
) -> list[Suspicion]:
    if not len(seen):
        return []
    by_removal = kind is not Kind.ARRIVAL
    score, window = evidence(seen, (seen.partial, seen.bad))
    claim = Claim(Cause.PROVIDER, provider)
    found = [Suspicion(claim, score + math.log(ALL_MAIL), window, by_removal)]
    if kind is Kind.ARRIVAL:
        found += _regions(seen, provider)
    for feature in features:
        having = np.array([feature in cluster.features for cluster in seen.clusters])
        if having.any():
            part = seen.where(having)
            score, window = evidence(part, (part.partial, part.bad), MOSTLY_ALL)
            weight = ANY_FEATURE / among * LIKELIER.get(feature.partition(":")[0], OTHERWISE)
            claim = Claim(Cause.PROVIDER_FEATURE, provider, feature)
            found.append(Suspicion(claim, score + math.log(weight), window, by_removal))
    return found


def shared_features(clusters: Iterable[Cluster]) -> frozenset[str]:
    """Features that at least two senders have: others cannot be told from their sender."""
    owner: dict[str, str] = {}
    shared = set()
    for cluster in clusters:
        for feature in cluster.features:
            if owner.setdefault(feature, cluster.sender) != cluster.sender:
                shared.add(feature)
    return frozenset(shared)


def _of_victims(clusters: Iterable[Cluster], shared: frozenset[str]) -> list[str]:
    """The features that at least two senders' bad clusters have, the commonest first."""
    bad = [cluster for cluster in clusters if cluster.is_bad]
    victims: dict[str, set[str]] = {}
    for cluster in bad:
        for feature in cluster.features:
            if feature in shared:
                victims.setdefault(feature, set()).add(cluster.sender)
    common = [feature for feature, senders in victims.items() if len(senders) >= FEWEST_VICTIMS]
    return sorted(common, key=lambda f: -len(victims[f]))[:MOST_FEATURES]


def _regions(seen: Columns, provider: str) -> list[Suspicion]:
    names = list(dict.fromkeys(r for c in seen.clusters for r in c.regional))[:MOST_REGIONS]
    found = []
    for name in names:
        ratios: Floats = np.array([c.regional.get(name, 0.0) for c in seen.clusters])
        score, window = evidence(seen, (seen.normal + ratios,))
        score += math.log(ANY_REGION / max(FEWEST_REGIONS, len(names)))
        claim = Claim(Cause.PROVIDER_FEATURE, provider, REGION + name)
        found.append(Suspicion(claim, score, window))
    return found
