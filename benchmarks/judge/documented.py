"""Incidents of the past as scenarios: their triggers, effects and times in the same world.

What is known of them stands in incidents.toml, with its sources. They begin on the weekday
and at the hour of day at which they began; which provider it is, and which sender, domain
or service, is drawn for each run.
"""

import math
import tomllib
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.judge import world as w
from benchmarks.judge.world import Generator, Settings, World

Case = dict[str, Any]
Truth = dict[str, Any]
EFFECTS = {
    "spam": w.SPAM,
    "quarantine": w.QUARANTINE,
    "rejected": w.REJECTED,
    "late": w.LATE,
}
LOST = 0.92  # of a campaign's copies, once it is taken as a whole
STAGE_H = 6.0  # between the domains of a list that grows
USUAL_LOGIT = 2.3  # of the copies of a usual sender that arrive


@cache
def cases() -> dict[str, Case]:
    """What is known of each incident, by its id."""
    with Path(__file__).with_name("incidents.toml").open("rb") as file:
        return tomllib.load(file)


def number(name: str) -> int:
    """What seeds the chance of an incident: its name, so that new ones change no others."""
    return zlib.crc32(name.encode())


def draw(g: Generator, c: Settings, world: World, name: str) -> list[Truth]:
    """Draw what *name* was in this world. The order of the draws is part of the format."""
    case = cases()[name]
    t0 = _onset(g, c, case)
    share = float(g.uniform(*case["share"]))
    if case["trigger"] == "none":
        return []
    truth = {"t0": t0, "t1": t0 + case["hours"], "case": name, "cat": EFFECTS[case["effect"]]}
    truth["delta"] = share if case["share_of"] == "copies" else LOST
    truth |= {"campaigns": share} if case["share_of"] == "campaigns" else {}
    truth |= {key: case[f"{key}_h"] for key in ("ramp", "late", "recalls") if f"{key}_h" in case}
    truth |= _TRIGGERS[case["trigger"]](g, c, world, case | {"drawn": share})
    return [truth | {"aff": [True] * c.S}]


def _onset(g: Generator, c: Settings, case: Case) -> float:
    """The first such weekday and hour once incidents count; hour 0 is a Monday."""
    begin = c.burn * 24
    if "start" not in case:
        return float(begin + g.uniform(0, 48))
    start = case["start"]
    of_week = start.weekday() * 24 + start.hour + start.minute / 60
    return float(begin + (of_week - begin) % 168)


def _at(g: Generator, c: Settings, features: dict[str, float]) -> Truth:
    """A provider that takes mail with *features*, each so many hours after the start."""
    known = {"kind": "provider_feature", "provider": int(g.integers(c.P))}
    return known | {"feature": next(iter(features)), "features": features}


def _url(g: Generator, c: Settings, _world: World, _case: Case) -> Truth:
    return _at(g, c, {f"url:u{int(g.integers(1, 5))}": 0.0})


def _urls(g: Generator, c: Settings, _world: World, _case: Case) -> Truth:
    drawn = 1 + g.choice(6, 3, replace=False)
    return _at(g, c, {f"url:u{int(link)}": STAGE_H * i for i, link in enumerate(drawn)})


def _attach(g: Generator, c: Settings, _world: World, _case: Case) -> Truth:
    return _at(g, c, {"attach:1": 0.0})


def _service(g: Generator, c: Settings, _world: World, case: Case) -> Truth:
    esp = int(g.integers(2))
    if case.get("expected") == "esp":
        return {"kind": "esp", "esp": esp}
    return _at(g, c, {f"esp:{esp}": 0.0, f"dkim:esp{esp}": 0.0})


def _ip(g: Generator, c: Settings, world: World, case: Case) -> Truth:
    """Address ranges, drawn until they carry the share of the mail."""
    chosen: dict[str, float] = {}
    carried, total = 0.0, float(world.rate.sum())
    for pool in g.permutation(sorted(set(world.pool.tolist()))).tolist():
        if carried >= case["drawn"] * total:
            break
        chosen[f"ip:{pool}"] = 0.0
        carried += float(world.rate[world.pool == pool].sum())
    return _at(g, c, chosen) | {"also_right": ["provider"]}


def _sender(g: Generator, _c: Settings, world: World, case: Case) -> Truth:
    busy = [s for s, rate in enumerate(world.rate.tolist()) if rate > 1.0]
    sender = int(g.choice(busy or [int(world.rate.argmax())]))
    lost = case["drawn"]
    return {"kind": "sender", "sender": sender, "shift": USUAL_LOGIT + math.log(lost / (1 - lost))}


def _all(g: Generator, c: Settings, _world: World, _case: Case) -> Truth:
    return {"kind": "provider", "provider": int(g.integers(c.P))}


_TRIGGERS: dict[str, Callable[[Generator, Settings, World, Case], Truth]] = {
    "url": _url,
    "urls": _urls,
    "attach": _attach,
    "service": _service,
    "ip": _ip,
    "sender": _sender,
    "all": _all,
}
