"""Claims against one provider: all its mail, or the mail of one feature or region."""

import math
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from monitor.core.incidents import Cause
from monitor.judge import slide
from monitor.judge.claims import FEWEST_VICTIMS, REGION, Claim, Suspicion
from monitor.judge.clusters import REGION_STANDS_OUT, Cluster
from monitor.judge.columns import Columns, Kind, columns
from monitor.judge.losses import beyond, filled
from monitor.judge.memory import Memory
from monitor.judge.scan import ANY_SHARE, MOSTLY_ALL, Question, evidence
from monitor.judge.table import IS_BAD, REMOVAL, REMOVAL_AT, SENDER, Mask, Rows, numbered

KINDS = ((Kind.ARRIVAL, 0.6), (Kind.REMOVAL, 0.2), (Kind.BOTH, 0.2))  # how incidents show
ALL_MAIL, ANY_FEATURE, ANY_REGION = 0.5, 0.3, 0.2  # what they concern
FEWEST_FEATURES, FEWEST_REGIONS = 4, 4  # that the prior is shared among, at least
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
    about: Cluster | None = None,
    also: str | None = None,
    beside: str = "",
) -> list[Suspicion]:
    """Return what can be held against *provider*, the best claim first.

    Args:
        also: a feature that is asked about, however few have it.
        about: a cluster that is bad; only what it can speak for is asked. By default all is.
        beside: an open incident that is being judged anew, and must not explain itself.
    """
    best: dict[Claim, Suspicion] = {}
    may_be_removal = about is None or about.moved is not None
    is_removing = may_be_removal and _is_removing(memory, provider, now)
    for kind, share in KINDS:
        if not _is_asked(kind, about, is_removing=is_removing):
            continue
        seen = columns(memory, provider, now, kind, beside=beside)
        for claim, bare, window in _of_kind(memory, seen, (provider, kind), about, also):
            score = bare + math.log(share)
            known = best.get(claim)
            if known is None or score > known.score:
                best[claim] = Suspicion(claim, score, window, kind is not Kind.ARRIVAL)
    slow = None if about else slide.suspect(memory, provider, now, beside=beside)
    if slow is not None and slow.score >= best.get(slow.claim, slow).score:
        best[slow.claim] = slow
    return sorted(best.values(), key=lambda s: -s.score)


def _is_asked(kind: Kind, about: Cluster | None, *, is_removing: bool) -> bool:
    """Can there be anything of this *kind*, and can the cluster *about* speak for it?"""
    if about is not None and (kind is Kind.ARRIVAL) == (about.moved is not None):
        return False
    return kind is Kind.ARRIVAL or is_removing


def _is_removing(memory: Memory, provider: str, now: float) -> bool:
    """Was mail of several senders taken away of late?"""
    table = memory.table
    rows = np.flatnonzero(table.at(provider))
    normal, _, _, bad, _ = table.likelihood(REMOVAL, rows)
    removed = (bad > normal) & (now - table.number(REMOVAL_AT, rows) <= REMOVING_H)
    return len(np.unique(table.key(SENDER, rows[removed]))) >= FEWEST_VICTIMS


def _of_kind(
    memory: Memory,
    seen: Columns,
    place: tuple[str, Kind],
    about: Cluster | None,
    also: str | None,
) -> Iterator[tuple[Claim, float, float]]:
    """Ask all claims at once: they are rows of the same arrays.

    Each has its log evidence, were its kind certain, and the window of its start.
    """
    provider, kind = place
    if not len(seen):
        return
    features = _of_victims(memory, seen, about, also)
    regions = _regions(memory, provider, about) if kind is Kind.ARRIVAL else []
    every = len(memory.table.regions.get(provider, []))
    claims = [(Claim(Cause.PROVIDER, provider), math.log(ALL_MAIL))]
    for feature in features:
        claim = Claim(Cause.PROVIDER_FEATURE, provider, feature)
        claims.append((claim, feature_prior(memory, feature)))
    for name in regions:
        weight = ANY_REGION / max(FEWEST_REGIONS, every)
        claims.append((Claim(Cause.PROVIDER_FEATURE, provider, REGION + name), math.log(weight)))
    scores, windows = evidence(seen, _question(memory, seen, provider, features, regions))
    found = zip(claims, scores.tolist(), windows.tolist(), strict=True)
    for (claim, prior), score, window in found:
        yield claim, score + prior, window


def _question(
    memory: Memory, seen: Columns, provider: str, features: list[str], regions: list[str]
) -> Question:
    """The arrays of all mail, then of each feature, then of each region."""
    table, n = memory.table, len(seen)
    belongs = np.ones((1 + len(features) + len(regions), n), dtype=bool)
    belongs[1 : 1 + len(features)] = table.having(features, seen.rows)
    priors = np.stack([ANY_SHARE, *[MOSTLY_ALL] * len(features), *[ANY_SHARE] * len(regions)])
    reading = np.zeros(len(belongs), dtype=np.intp)
    reading[1 + len(features) :] = np.arange(1, 1 + len(regions))
    ratios = [filled(table.regional(provider, name, seen.rows)) for name in regions]
    of_regions = [seen.normal + beyond(ratio, seen.explained) for ratio in ratios]
    alternatives = (np.stack([seen.partial, *of_regions]), np.stack([seen.bad, *of_regions]))
    return Question(belongs, alternatives, reading, priors)


def _regions(memory: Memory, provider: str, about: Cluster | None) -> list[str]:
    """Those to ask about, if the cluster *about* fares worse in any."""
    if about is not None and max(about.regional.values(), default=0.0) <= REGION_STANDS_OUT:
        return []
    return sorted(memory.table.regions.get(provider, []))


def _of_victims(
    memory: Memory, seen: Columns, about: Cluster | None, also: str | None
) -> list[str]:
    """The features that at least two senders' bad clusters have, the commonest first.

    Those of a single sender cannot be told from it.
    """
    table = memory.table
    rows = seen.rows[::-1]
    rows = rows[table.flag(IS_BAD, rows)]
    carrying = memory.clusters(rows) if about is None else [about]
    # Senders' features are the same again and again: each list of them is read once.
    lists = dict.fromkeys(cluster.features for cluster in carrying)
    names = dict.fromkeys(chain.from_iterable(lists))
    return commonest(memory, rows, names, also)


def commonest(memory: Memory, rows: Rows, names: Iterable[str], also: str | None) -> list[str]:
    """Those of *names* that mail of several senders among *rows* has, the commonest first.

    Args:
        also: a feature that comes before all others.
    """
    table = memory.table
    shared = [name for name in names if table.is_shared(name)]
    counts = _senders_having(table.having(shared, rows), numbered(table.key(SENDER, rows)))
    common = [(n, name) for n, name in zip(counts, shared, strict=True) if n >= FEWEST_VICTIMS]
    common.sort(key=lambda c: (c[1] != also, -c[0]))
    return [name for _, name in common[:MOST_FEATURES]]


def _senders_having(having: Mask, senders: Rows) -> list[int]:
    """Of each feature, the senders of mail that has it; *having* is features x clusters."""
    if not len(senders):
        return [0] * len(having)
    feature, place = np.nonzero(having)
    width = int(senders.max()) + 1
    seen = np.zeros(len(having) * width, dtype=bool)
    seen[feature * width + senders[place]] = True
    counts: list[int] = seen.reshape(-1, width).sum(axis=1).tolist()
    return counts


def shared_features(memory: Memory) -> int:
    """How many features the prior of any is shared among."""
    return max(FEWEST_FEATURES, memory.table.shared())


def feature_prior(memory: Memory, feature: str) -> float:
    """Log of the prior weight of *feature*."""
    likelier = LIKELIER.get(feature.partition(":")[0], OTHERWISE)
    return math.log(ANY_FEATURE / shared_features(memory) * likelier)
