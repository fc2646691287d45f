"""Reads a cluster in the light of what is known of its seeds: counts, and what regions say."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.judge import likelihood
from monitor.judge.clusters import Cluster, Counts, Fate, was_lost
from monitor.judge.seeds import Seed, SeedHealth

LEAST_EXPECTED, MOST_EXPECTED = 0.004, 0.96  # of a cluster
MOST_USUAL = 0.97  # of one seed
REGIONAL_CORRELATION = 0.15  # of one region's copies, given the rest of their cluster
REGIONAL_LOSSES = (0.65, 0.95)
MILDER = 0.3  # how often a region loses the smaller share


def measure(cluster: Cluster, health: SeedHealth, *, anew: bool = True) -> None:
    """Work out what *cluster* says, leaving out seeds that are broken.

    Args:
        anew: false if its copies are where they were, and were only looked at again.
    """
    if not anew and cluster.counts is not None:
        cluster.watched()
        return
    fates = counted(cluster, health)
    if not fates:
        cluster.count(None, {})
        return
    seeds = health.at(cluster.provider)
    usual = {address: _usual(cluster, seeds.get(address)) for address in cluster.fates}
    here = _group(fates, usual)
    moved = sum(fate is Fate.REMOVED for fate in fates.values())
    counts = Counts(
        n=here.n,
        lost=here.lost,
        moved=moved,
        was_watched=cluster.look > 0 or moved > 0,
        expected=min(MOST_EXPECTED, max(LEAST_EXPECTED, here.usual / here.n)),
    )
    cluster.count(counts, _regions(cluster, health, usual))


def counted(cluster: Cluster, health: SeedHealth) -> dict[str, Fate]:
    """The copies that count: those in seeds that are not left out.

    Where hardly a seed would be left, all count: then it is not the seeds.
    """
    out = _left_out(cluster, health.at(cluster.provider))
    if not out:
        return cluster.fates
    sound = {a: f for a, f in cluster.fates.items() if a not in out}
    return sound if len(sound) >= min(2, len(cluster.fates)) else cluster.fates


def _left_out(cluster: Cluster, seeds: Mapping[str, Seed]) -> set[str]:
    """Its copies in seeds that are left out."""
    return {a for a in cluster.fates if (seed := seeds.get(a)) is not None and seed.is_left_out}


@dataclass(frozen=True, slots=True)
class _Group:
    """Some copies of a cluster: how many, how many lost, and how many usually are."""

    n: int = 0
    lost: int = 0
    usual: float = 0.0

    def without(self, part: "_Group") -> "_Group":
        return _Group(self.n - part.n, self.lost - part.lost, self.usual - part.usual)


def _usual(cluster: Cluster, seed: Seed | None) -> float:
    """How probable it is that the copy in *seed* is lost."""
    return min(MOST_USUAL, cluster.usual if seed is None else cluster.usual * seed.own_rate)


def _group(fates: Mapping[str, Fate], usual: Mapping[str, float]) -> _Group:
    lost, expected = 0, 0.0
    for address, fate in fates.items():
        expected += usual[address]
        if fate is not Fate.ARRIVED:
            lost += was_lost(fate)
    return _Group(len(fates), lost, expected)


def _regions(cluster: Cluster, health: SeedHealth, usual: Mapping[str, float]) -> dict[str, float]:
    seeds = health.at(cluster.provider)
    out = _left_out(cluster, seeds)
    failing = health.failing_regions(cluster.provider) if out else frozenset()
    members: dict[str, dict[str, Fate]] = {}
    for address, fate in cluster.fates.items():
        seed = seeds.get(address)
        if seed is not None and (address not in out or seed.region in failing):
            members.setdefault(seed.region, {})[address] = fate
    if len(members) < 2:
        return {}
    groups = {region: _group(fates, usual) for region, fates in members.items()}
    everywhere = _Group(
        sum(g.n for g in groups.values()),
        sum(g.lost for g in groups.values()),
        sum(g.usual for g in groups.values()),
    )
    return {
        region: _regional(cluster.usual, group, everywhere.without(group))
        for region, group in groups.items()
        if region and group.n > 1
    }


def _regional(usual: float, here: _Group, rest: _Group) -> float:
    """Log ratio: this region is losing the mail, against its faring as the rest does."""
    # The cluster's own luck: the posterior mean of a gamma with its correlation's weight.
    weight = (1 - usual) * (1 - likelihood.CORRELATION) / likelihood.CORRELATION + 0.5
    luck = (rest.lost + weight) / (rest.usual + weight)
    good = 1 - min(0.95, max(0.02, luck * here.usual / here.n))

    def at(rate: float) -> float:
        return likelihood.beta_binomial(here.lost, here.n, rate, REGIONAL_CORRELATION)

    mild, severe = REGIONAL_LOSSES
    ratio = likelihood.mixed(MILDER, at(good * (1 - mild)), at(good * (1 - severe)))
    ratio -= max(at(good), at(likelihood.dipped(good)))
    return ratio if here.lost > 1 else min(0.0, ratio)  # one seed is never a region
