"""Claims about one sender: everywhere, at one provider, or by what one campaign contains.

Scores are log odds against "nothing lasting": stray clusters, and single campaigns that
die everywhere by their own content.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from monitor.core.incidents import Cause
from monitor.judge.claims import Claim, Suspicion
from monitor.judge.clusters import Cluster
from monitor.judge.losses import coupled_losses
from monitor.judge.memory import WINDOW_H, Memory
from monitor.judge.reputation import LEAST, MOST, ONSET_PER_H
from monitor.judge.table import (
    AT,
    IN_TROUBLE,
    PROVIDER,
    SENDER,
    TRIAL,
    UNEXPLAINED,
    Floats,
    Mask,
    Rows,
    firsts,
    numbered,
)

COLLAPSES_PER_DAY = 1 / 200  # a sender's reputation falls at many providers at once
ONE_CAMPAIGN = 0.01  # a campaign dies everywhere by its own content
PROVIDER_FAILS_PER_DAY = 1 / 60  # any provider of those watched
HIT = 0.95  # share of the senders, and of their campaigns, that a feature listed somewhere hits
FEWEST_PROVIDERS = 2  # one alone cannot be told from its own trouble
# Of providers that turn against a sender, and of senders that a failing provider hits:
# the share, and how often it is that.
PROVIDER_SHARES = ((0.25, 0.15), (0.6, 0.25), (0.95, 0.6))
SENDER_SHARES = ((0.07, 0.25), (0.25, 0.25), (0.6, 0.25), (0.95, 0.25))

ROUNDING = 1e-6  # nats
UNSEEN_H = 24.0  # before a sender's first mail, when its trouble may have begun as well


# Since when mail is asked about: for a provider, or for None everywhere.
Since = Callable[[str | None], float]


def suspect(
    memory: Memory,
    now: float,
    latest: Cluster,
    *,
    since: Since,
    also: str | None = None,
    least: float = -math.inf,
) -> list[Suspicion]:
    """Return what can be held against a sender, the best claim first.

    Args:
        since: when its last trouble had ended, there or anywhere; earlier mail tells of that.
        latest: the sender's cluster that gave rise to the question.
        also: another provider that it has been in trouble at.
        least: claims about a feature that cannot reach this score may be left out.
    """
    sender = latest.sender
    record = _record(memory, sender, max(since(None), now - WINDOW_H))
    if not len(record.at):
        return []
    everything = np.ones((1, len(record.at)), dtype=bool)
    everywhere = float(_everywhere(record, everything)[0])
    found = [
        Suspicion(Claim(Cause.SENDER, sender=sender), everywhere),
        _one_campaign(memory, latest),
        *_features(memory, record, latest, least),
    ]
    for provider in dict.fromkeys([latest.provider, also or latest.provider]):
        claim = Claim(Cause.SENDER_AT_PROVIDER, provider, sender=sender)
        score = _at_provider(memory, sender, provider, since(provider))
        found.append(Suspicion(claim, score))
    return sorted(found, key=lambda s: -s.score)


@dataclass(frozen=True, slots=True)
class _Record:
    """A sender's campaigns of the last week, oldest first."""

    rows: Rows  # of all its clusters
    campaign: Rows  # of each of them, its number before they were put in order
    order: Rows  # those numbers, in the order of time
    at: Floats
    losses: Floats  # campaigns x providers: log odds of trouble that nothing known explains


def _record(memory: Memory, sender: str, since: float) -> _Record:
    table = memory.table
    rows = table.sorted(table.of(sender))
    tests = [cluster.test for cluster in memory.clusters(rows)]
    trials = [memory.trials[test] for test in dict.fromkeys(tests)]
    campaign = numbered(table.key(TRIAL, rows))
    place = numbered(table.key(PROVIDER, rows))
    losses = np.zeros((len(trials), int(place.max()) + 1))
    losses[campaign, place] = table.number(UNEXPLAINED, rows)
    at = np.array([trial.at for trial in trials])
    order = np.argsort(at, kind="stable")
    order = order[at[order] >= since]
    return _Record(rows, campaign, order, at[order], losses[order])


def _at_provider(memory: Memory, sender: str, provider: str, since: float) -> float:
    table = memory.table
    rows = table.sorted(table.of(sender) & table.at(provider))
    rows = rows[table.number(AT, rows) >= since]
    at = table.number(AT, rows)
    order = np.argsort(at, kind="stable")
    losses = coupled_losses(memory, rows[order])
    return float(_over_onsets(ONSET_PER_H * 24, at[order], _since(losses)))


def rival_provider(
    memory: Memory, sender: str, provider: str, since: float, providers: int
) -> float:
    """Log odds that it is the provider after all, given how its other senders fare *since*.

    Each of them may be in trouble of its own, and says no more than a provider's failure
    would explain better.
    """
    table = memory.table
    rows = table.sorted(table.at(provider))
    rows = rows[table.number(AT, rows) >= since]
    rows = rows[np.argsort(table.number(AT, rows), kind="stable")]
    own = table.key(SENDER, rows) == table.id(SENDER, sender)
    if not own.any():
        return -math.inf
    rows, own = rows[own.argmax() :], own[own.argmax() :]
    at, senders = table.number(AT, rows), numbered(table.key(SENDER, rows))
    losses = np.zeros((len(rows), int(senders.max()) + 1))
    losses[np.arange(len(rows)), senders] = coupled_losses(memory, rows)
    units = _since(losses)[own]
    trouble = _trouble(table.number(IN_TROUBLE, rows), at, senders)[own]
    alone = np.logaddexp(np.log(trouble) + units, np.log1p(-trouble))
    alone[:, 0] = 0.0  # the sender itself
    ratios = _mean_over(SENDER_SHARES, units) - alone.sum(axis=1)
    return float(_over_onsets(PROVIDER_FAILS_PER_DAY / providers, at[own], ratios))


def _trouble(before: Floats, at: Floats, senders: Rows) -> Floats:
    """Starts x senders: probability of trouble of their own, then or later.

    Args:
        before: the same before each cluster, at its sender.
    """
    n = len(at)
    following = np.full((n, int(senders.max()) + 1), n)
    following[np.arange(n), senders] = np.arange(n)
    following = np.minimum.accumulate(following[::-1], axis=0)[::-1]
    known = np.append(before, LEAST)[following]  # no mail from then on says nothing
    later = 1 - np.exp(-(at[-1] - at) * ONSET_PER_H)
    return np.asarray(np.clip(known + (1 - known) * later[:, None], LEAST, MOST))


def _since(values: Floats) -> Floats:
    """For each place along the first axis: the sum of *values* from there on."""
    return np.asarray(np.cumsum(values[::-1], axis=0)[::-1])


def _over_onsets(per_day: float, at: Floats, ratios: Floats) -> Floats:
    """Log of the sum over possible starts: how likely each is, times e^ratio.

    Args:
        at: hours of the campaigns, ascending; trouble starts between one and the next.
        ratios: log likelihood ratios, if it starts before the campaign; along the last axis.
    """
    if not len(at):
        return np.full(ratios.shape[:-1], -math.inf)
    spans = np.diff(at, prepend=at[0] - UNSEEN_H)
    with np.errstate(divide="ignore"):
        return np.asarray(np.logaddexp.reduce(np.log(per_day * spans / 24) + ratios, axis=-1))


def _mean_over(shares: tuple[tuple[float, float], ...], units: Floats) -> Floats:
    """Log likelihood ratio of units, along the last axis, of which an unknown share is hit."""
    terms = [math.log(often) + _either_way(share, units).sum(axis=-1) for share, often in shares]
    return np.asarray(np.logaddexp.reduce(terms, axis=0))


def _everywhere(record: _Record, having: Mask, beside: Floats | float = 0.0) -> Floats:
    """Log odds that campaigns fare badly at many providers since some start.

    Args:
        having: claims x campaigns: those that each claim is about.
        beside: claims x starts: what other mail says for each.
    """
    losses = np.where(having[:, :, None], record.losses, 0.0)
    at = np.cumsum(losses[:, ::-1], axis=1)[:, ::-1]  # claims x starts x providers
    campaigns = losses.sum(axis=2)
    alone = _either_way(ONE_CAMPAIGN, campaigns)
    chance = np.cumsum(np.where(having, alone, 0.0)[:, ::-1], axis=1)[:, ::-1]
    ratios = _mean_over(PROVIDER_SHARES, at) - chance + beside
    ratios[((at > 0).sum(axis=2) < FEWEST_PROVIDERS) | ~having] = -math.inf
    return np.array(
        [
            _over_onsets(COLLAPSES_PER_DAY, record.at[mine], ratio[mine])
            for mine, ratio in zip(having, ratios, strict=True)
        ]
    )


def _one_campaign(memory: Memory, latest: Cluster) -> Suspicion:
    odds = math.log(ONE_CAMPAIGN / (1 - ONE_CAMPAIGN))
    clusters = memory.trials[latest.test].clusters.values()
    odds += sum(cluster.unexplained for cluster in clusters)
    return Suspicion(Claim(Cause.CONTENT, sender=latest.sender), odds)


def _features(
    memory: Memory, record: _Record, latest: Cluster, least: float
) -> Iterator[Suspicion]:
    """What only some of the sender's campaigns contain, and only those fail.

    Mail of others that contains it as well, and is fine, speaks against it.
    """
    having = dict(zip(latest.features, _carried(memory, record, latest.features), strict=True))
    among = math.log(max(1, len(latest.features)))
    some = {feature: mine for feature, mine in having.items() if not mine.all()}
    if some and least > -math.inf:
        most = _everywhere(record, np.array(list(some.values()))) - among  # others aside
        reaches = (most >= least - ROUNDING).tolist()
        some = dict(compress(some.items(), reaches))
    if not some:
        return
    spared = np.array(_spared(memory, record, latest.sender, list(some)))
    scores = _everywhere(record, np.array(list(some.values())), spared).tolist()
    for feature, score in zip(some, scores, strict=True):
        yield Suspicion(Claim(Cause.CONTENT, sender=latest.sender, feature=feature), score - among)


def _carried(memory: Memory, record: _Record, features: Sequence[str]) -> Mask:
    """Features x campaigns: which contain it?"""
    feature, place = np.nonzero(memory.table.having(features, record.rows))
    carried = np.zeros((len(features), int(record.campaign.max()) + 1), dtype=bool)
    carried[feature, record.campaign[place]] = True
    return np.asarray(carried[:, record.order])


def _spared(memory: Memory, record: _Record, sender: str, features: list[str]) -> list[Floats]:
    """For each feature: what the mail of others that has it says against it."""
    table = memory.table
    others = np.flatnonzero(table.live() & ~table.of(sender))
    return [
        _spares(memory, record, table.in_order(others[having]))
        for having in table.having(features, others)
    ]


def _spares(memory: Memory, record: _Record, rows: Rows) -> Floats:
    """For each start: what the mail of others says against it; at most 0."""
    if not len(rows):
        return np.zeros(len(record.at))
    table = memory.table
    campaign = numbered(table.key(TRIAL, rows))
    first = firsts(campaign)
    sums = np.asarray(np.bincount(campaign, table.number(UNEXPLAINED, rows)), dtype=float)
    says = _either_way(HIT, sums) - _either_way(ONE_CAMPAIGN, sums)
    senders = numbered(table.key(SENDER, rows[first]))
    since = table.number(AT, rows[first]) >= record.at[:, None]
    shape = (len(record.at), int(senders.max()) + 1)
    cell = senders + shape[1] * np.arange(shape[0])[:, None]
    said = np.bincount(cell.reshape(-1), (since * says).reshape(-1), shape[0] * shape[1])
    units = np.asarray(said.reshape(shape), dtype=float)
    return np.asarray(np.minimum(0.0, _either_way(HIT, units)).sum(axis=1))


def _either_way(share: float, losses: Floats) -> Floats:
    """Log likelihood ratio of what is hit with probability *share*."""
    return np.asarray(np.logaddexp(math.log(share) + losses, math.log1p(-share)))
