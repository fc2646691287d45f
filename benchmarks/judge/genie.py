"""A bound to compare the delay with: a detector that was told the scenario.

It knows provider, senders or feature, start and size, and sums the log likelihood ratios of
the clusters that the cause could have hit. It stops at log(ARL) = 9.9 nats: one false alarm
in 365 provider-days of 57 clusters (G. Lorden, Ann. Math. Stat. 42 (1971), 1897-1908). It has
no controls and a stricter line than the judge needs, so a ratio a little under 1 is possible.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from monitor.judge.likelihood import CORRELATION, beta_binomial, mixed

Record = dict[str, Any]
LINE = 9.9  # nats
OWN_FAILURE = 0.03  # campaigns that die by their own content
OWN_LOSS = 0.9
STAYS, MOVES = 0.996, 0.3  # share of copies that nobody moves; correlation of harmless moves
STRAY = 0.01  # clusters that are moved together without a cause ...
STRAY_SHARE = 0.6  # ... and how much of them
AT_THIS_CHECK = 0.4  # that a removal shows at this recheck and not at another
ARRIVED = frozenset({"inbox", "tab"})
PRIOR, PRIOR_SHARE = 4.0, 0.85  # effective copies, and the share that arrives, before all history
DAY_H = 24.0


class Look(NamedTuple):
    """One cluster at one check: *bad* of *n* copies were lost, or left since the last check."""

    t: float
    check: int
    campaign: Record
    n: int
    bad: int


@dataclass(slots=True)
class Usual:
    """What share of each sender's copies arrives, learnt from before the start."""

    good: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    weight: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def learn(self, look: Look) -> None:
        weight = look.n / (1 + (look.n - 1) * CORRELATION)
        for name in (look.campaign["s"], ""):  # the sender, and all of them
            self.good[name] += weight * (1 - look.bad / look.n)
            self.weight[name] += weight

    def share(self, sender: str) -> float:
        of_all = (self.good[""] + PRIOR * PRIOR_SHARE) / (self.weight[""] + PRIOR)
        found = (self.good[sender] + PRIOR * of_all) / (self.weight[sender] + PRIOR)
        return min(0.995, max(0.05, found))


def looks(stream: Iterable[Record], provider: str, seeds: frozenset[int] | None) -> Iterator[Look]:
    """The clusters at *provider*, by time; of *seeds* only, if it is told."""
    campaigns: dict[str, Record] = {}
    there: dict[str, set[int]] = {}
    for record in stream:
        if record["type"] == "campaign":
            campaigns[record["c"]] = record
        elif record["type"] == "check" and record["p"] == provider:
            name = record["c"]
            if record["chk"] == 0:
                asked = {s for s in record["seeds"] if seeds is None or s in seeds}
                bad = {int(s) for s, place in record["bad"].items() if place not in ARRIVED}
                there[name] = asked - bad
            else:
                asked = there.get(name, set())
                bad = {int(s) for s in record["chg"]}
                there[name] = asked - bad
            if asked:
                yield Look(
                    record["t"], record["chk"], campaigns[name], len(asked), len(asked & bad)
                )


def hit(truth: Record, campaign: Record) -> bool:
    """Could the cause take this campaign's copies?"""
    since = truth["t0"] - truth.get("recalls", 8.0 if truth.get("zap") else 0.0)
    if not since <= campaign["t"] < truth["t1"]:
        return False
    if truth["kind"] != "provider_feature":
        return int(campaign["s"][1:]) in truth["aff"]
    after = truth.get("features", {truth["feature"]: 0.0})
    return any(campaign["t"] >= since + after[name] for name in campaign["feat"] if name in after)


def of_arrival(truth: Record, look: Look, usual: float) -> float:
    """Log likelihood ratio of what was lost on arrival."""
    ramp = truth.get("ramp")
    grown = min(1.0, (look.campaign["t"] - truth["t0"]) / ramp) if ramp else 1.0

    def of(lost: float) -> float:
        return beta_binomial(look.bad, look.n, usual * (1 - lost), CORRELATION)

    good, own = of(0.0), of(OWN_LOSS)
    null = mixed(OWN_FAILURE, own, good)
    taken = mixed(OWN_FAILURE, own, of(min(0.999, truth["delta"] * grown)))
    return _partly(truth, taken, null) - null


def of_removal(truth: Record, look: Look) -> float:
    """Log likelihood ratio of what has left the mailboxes since the last check."""

    def of(stays: float, correlation: float) -> float:
        return beta_binomial(look.bad, look.n, stays, correlation)

    good = of(STAYS, MOVES)
    null = mixed(STRAY, of(1 - STRAY_SHARE, CORRELATION), good)
    taken = mixed(AT_THIS_CHECK, of(1 - min(0.99, truth["delta"]), CORRELATION), null)
    return _partly(truth, taken, null) - null


def _partly(truth: Record, taken: float, null: float) -> float:
    """The same where the cause takes only a share of the campaigns that meet it."""
    share = truth.get("campaigns", 1.0)
    return taken if share >= 1 else mixed(max(0.01, share), taken, null)


def _worth(truth: Record) -> Callable[[Look, Usual], float]:
    def worth(look: Look, usual: Usual) -> float:
        if look.check == 0:
            on = truth["t0"] <= look.campaign["t"] and not truth.get("zap")
            return of_arrival(truth, look, usual.share(look.campaign["s"])) if on else 0.0
        removes = truth.get("zap") or "recalls" in truth
        return of_removal(truth, look) if removes and look.t >= truth["t0"] else 0.0

    return worth


def alarm(stream: list[Record], truth: Record) -> float:
    """The hour at which the genie is sure of *truth*, a provider's; infinity for never."""
    provider, usual, worth = f"p{truth['provider']}", Usual(), _worth(truth)
    total = 0.0
    for look in looks(stream, provider, _region(stream[0], provider, truth)):
        if look.t > truth["t1"] + DAY_H:
            break
        if look.t < truth["t0"] and look.check == 0:
            usual.learn(look)
        elif look.t >= truth["t0"] and hit(truth, look.campaign):
            total += worth(look, usual)
        if total >= LINE:
            return look.t
    return math.inf


def _region(head: Record, provider: str, truth: Record) -> frozenset[int] | None:
    if truth["kind"] != "provider_region":
        return None
    boxes = [box for box in head["mailboxes"] if box["p"] == provider]
    return frozenset(i for i, box in enumerate(boxes) if box["group"] == f"g{truth['region']}")
