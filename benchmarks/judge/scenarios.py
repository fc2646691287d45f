"""The scenarios: what goes wrong in each, and where, drawn for one world."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.judge import documented
from benchmarks.judge import world as w
from benchmarks.judge.world import MISSING, QUARANTINE, REJECTED, SPAM, Generator, Settings

SCENARIOS = (
    *("null_drift", "null_season", "sender_collapse", "seed_broken", "esp_outage"),
    *("url_everywhere", "monitor_down", "provider_wide", "provider_url", "partial_senders"),
    *("partial_region", "zap_delayed", "blink", "slow", "two_at_once"),
)
Truth = dict[str, Any]


def number(scenario: str) -> int:
    """What seeds the chance of *scenario*. A name that is none is a ValueError."""
    if scenario in documented.cases():
        return documented.number(scenario)
    return SCENARIOS.index(scenario)


def truths(g: Generator, c: Settings, world: w.World, scenario: str) -> list[Truth]:
    """Draw what goes wrong. The order of the draws is part of the format."""
    if scenario in documented.cases():
        return documented.draw(g, c, world, scenario)
    return _made(g, c, world, scenario)


def _made(  # noqa: C901 - one line for each scenario
    g: Generator, c: Settings, world: w.World, scenario: str
) -> list[Truth]:
    onset = c.burn * 24 + g.uniform(0, 48)
    p = int(g.integers(c.P))
    other = int((p + 1 + g.integers(c.P - 1)) % c.P)
    busy = np.flatnonzero(world.rate > 1.0)
    busy = busy if len(busy) else np.array([int(np.argmax(world.rate))])

    def cause(kind: str, hours: float, **more: object) -> Truth:
        return {"kind": kind, "t0": onset, "t1": onset + hours, **more}

    def link() -> str:
        return f"url:u{int(g.integers(1, 5))}"  # a fairly popular domain

    def one_sender() -> list[Truth]:
        if g.random() < 0.5:
            return [cause("sender", 240, sender=int(g.choice(busy)), shift=5.0)]
        sender = int(g.choice(busy))
        return [cause("sender_provider", 240, sender=sender, provider=p, shift=5.0)]

    def blink() -> list[Truth]:
        t0 = np.floor(onset / 24) * 24 + g.uniform(9, 16)
        told = cause("provider", 1.5, provider=p, f=0.95, delta=0.97, cat=REJECTED)
        return [told | {"t0": t0, "t1": t0 + 1.5}]

    def rule(at: int, place: int) -> Truth:
        hit = {"feature": link(), "f": 1.0, "delta": 0.92, "cat": place}
        return cause("provider_feature", 72, provider=at, **hit)

    def region() -> Truth:
        hit = {"region": int(g.integers(c.R)), "f": 0.9, "delta": 0.9, "cat": SPAM}
        return cause("provider_region", 96, provider=p, **hit)

    wide = {"provider": p, "f": 0.7, "delta": 0.9, "cat": QUARANTINE}
    some = {"provider": p, "f": 0.2, "delta": 0.9, "cat": SPAM}
    slide = {"provider": p, "f": 1.0, "delta": 0.8, "ramp": 168.0, "cat": SPAM}
    esp = {"cat": MISSING, "delta": 0.97}
    made: dict[str, Callable[[], list[Truth]]] = {
        "sender_collapse": one_sender,
        "seed_broken": lambda: [cause("mailbox", 240, provider=p, mailbox=int(g.integers(c.M)))],
        "esp_outage": lambda: [cause("esp", 8, esp=int(g.integers(2)), **esp)],
        "url_everywhere": lambda: [cause("feature", 72, feature=link(), cat=SPAM, delta=0.9)],
        "monitor_down": lambda: [cause("monitor", 6)],
        "provider_wide": lambda: [cause("provider", 72, **wide)],
        "provider_url": lambda: [rule(p, QUARANTINE)],
        "partial_senders": lambda: [cause("provider", 96, **some)],
        "partial_region": lambda: [region()],
        "zap_delayed": lambda: [cause("provider", 72, **wide | {"delta": 0.85, "zap": True})],
        "blink": blink,
        "slow": lambda: [cause("provider", 240, **slide)],
        "two_at_once": lambda: [cause("provider", 72, **wide), rule(other, SPAM)],
    }
    found = made[scenario]() if scenario in made else []
    for truth in found:
        truth["aff"] = g.random(c.S) < truth.get("f", 1.0)
        if truth["kind"] in {"provider", "provider_region"} and truth["aff"].sum() < 2:
            truth["aff"][busy[:3]] = True
    return found
