"""Reads a cluster in the light of what is known of its seeds: counts, and what regions say."""

from collections.abc import Mapping

from monitor.judge import likelihood
from monitor.judge.clusters import Cluster, Counts, Fate, was_lost
from monitor.judge.seeds import SeedHealth

LEAST_EXPECTED, MOST_EXPECTED = 0.004, 0.96
REGIONAL_CORRELATION = 0.15  # of one region's copies, given the rest of their cluster
REGIONAL_LOSSES = (0.65, 0.95)
MILDER = 0.3  # how often a region loses the smaller share


def measure(cluster: Cluster, health: SeedHealth) -> None:
    """Work out anew what *cluster* says, leaving out seeds that are broken."""
    fates = counted(cluster, health)
    if not fates:
        cluster.count(None, {})
        return
    rates = [expected(cluster, address, health) for address in fates]
    moved = sum(fate is Fate.REMOVED for fate in fates.values())
    counts = Counts(
        n=len(fates),
        lost=sum(was_lost(fate) for fate in fates.values()),
        moved=moved,
        was_watched=cluster.look > 0 or moved > 0,
        expected=min(MOST_EXPECTED, max(LEAST_EXPECTED, sum(rates) / len(rates))),
    )
    cluster.count(counts, _regions(cluster, health))


def counted(cluster: Cluster, health: SeedHealth) -> dict[str, Fate]:
    """The copies that count: those in seeds that are not left out.

    Where hardly a seed would be left, all count: then it is not the seeds.
    """
    sound = {
        address: fate
        for address, fate in cluster.fates.items()
        if not health.of(cluster.provider, address).is_left_out
    }
    return sound if len(sound) >= min(2, len(cluster.fates)) else cluster.fates


def expected(cluster: Cluster, address: str, health: SeedHealth) -> float:
    """Usual share of bad copies of this cluster's sender in one seed."""
    return min(0.97, cluster.usual * health.of(cluster.provider, address).own_rate)


def _regions(cluster: Cluster, health: SeedHealth) -> dict[str, float]:
    failing = health.failing_regions(cluster.provider)
    groups: dict[str, dict[str, Fate]] = {}
    for address, fate in cluster.fates.items():
        seed = health.of(cluster.provider, address)
        if not seed.is_left_out or seed.region in failing:
            groups.setdefault(seed.region, {})[address] = fate
    if len(groups) < 2:
        return {}
    ratios = {}
    for region, here in groups.items():
        if region and len(here) > 1:
            rest = {a: f for other, g in groups.items() if other != region for a, f in g.items()}
            ratios[region] = _regional(cluster, here, rest, health)
    return ratios


def _regional(
    cluster: Cluster, here: Mapping[str, Fate], rest: Mapping[str, Fate], health: SeedHealth
) -> float:
    """Log ratio: this region is losing the mail, against its faring as the rest does."""
    n, bad = len(here), sum(was_lost(fate) for fate in here.values())
    elsewhere = sum(was_lost(fate) for fate in rest.values())
    usual_here = sum(expected(cluster, address, health) for address in here)
    usual_rest = sum(expected(cluster, address, health) for address in rest)
    # The cluster's own luck: the posterior mean of a gamma with its correlation's weight.
    weight = (1 - cluster.usual) * (1 - likelihood.CORRELATION) / likelihood.CORRELATION + 0.5
    luck = (elsewhere + weight) / (usual_rest + weight)
    good = 1 - min(0.95, max(0.02, luck * usual_here / n))

    def at(loss: float) -> float:
        return likelihood.beta_binomial(bad, n, good * (1 - loss), REGIONAL_CORRELATION)

    mild, severe = REGIONAL_LOSSES
    ratio = likelihood.mixed(MILDER, at(mild), at(severe))
    ratio -= max(at(0.0), at(likelihood.HARMLESS_DIP))
    return ratio if bad > 1 else min(0.0, ratio)  # one seed is never a region
