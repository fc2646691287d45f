"""A simulated deployment: who mails, who receives, and what usually happens to mail.

One world has 40 senders and 6 providers of 20 seed mailboxes each. Nuisances are always
on: content that fails by itself, drifting rates, weekdays, odd and broken seeds, senders
that lose their reputation. Times are hours from the start. Chance is drawn in a fixed
order, so that a scenario and a seed always make the same stream.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Generator = np.random.Generator

PLACES = ["inbox", "tab", "spam", "quarantine", "missing", "rejected"]
INBOX, TAB, SPAM, QUARANTINE, MISSING, REJECTED = range(6)
LATE = 6  # missing at the first check, and found at a later one
RECHECKS_H = (2.0, 8.0, 24.0)  # after sending
DOMAINS = 12  # link domains that several senders share
SEEDS_OF_TENANT = (5, 8, 12, 20)  # at each provider
SERVICES = (0.4, 0.3, 0.2, 0.1)  # shares of the sending services


@dataclass(frozen=True, slots=True)
class Settings:
    """All rates are a day; sizes of effects are on the logit scale."""

    days: float = 32.0
    burn: float = 21.0  # days of history before incidents count
    S: int = int(os.environ.get("SENDERS", "40"))
    controls: int = int(os.environ.get("CONTROL_SENDERS", "0"))  # mail every two hours
    controls_steady: bool = False  # they never lose their reputation
    P: int = 6
    M: int = 20  # seeds of a provider
    R: int = 4  # regions
    rate_lo: float = 1 / 7  # campaigns of a sender, spread evenly in the logarithm
    rate_hi: float = 6.0
    base_mu: float = 2.3
    base_sd: float = 0.8
    drift_sd: float = 0.06
    prov_sd: float = 0.05  # harmless wobble of a provider
    prov_rev: float = 0.05
    u_c: float = 0.6  # effect of a campaign
    u_cp: float = 0.8  # effect of a campaign at one provider
    own_fail_all: float = 0.02
    own_fail_p: float = 0.02
    mbox_sd: float = 0.5
    cranky: float = 0.05
    season_amp: float = 0.25
    episode_rate: float = 1 / 90  # senders losing their reputation
    episode_all: float = 0.3
    episode_days: float = 7.0
    mbreak_rate: float = 1 / 400  # seeds breaking
    mbreak_days: float = 2.0
    miss_p: float = 0.008  # stray losses
    moved_p: float = 0.002  # harmless moves, of copies and of whole clusters
    moved_cl: float = 0.01


class Episode(NamedTuple):
    """A sender in trouble of its own; provider -1 is all of them."""

    t0: float
    t1: float
    sender: int
    provider: int
    shift: float


@dataclass(slots=True)
class World:
    """What does not depend on the scenario."""

    esp: Ints
    rate: Floats
    seeds: Ints  # that each sender has at each provider
    region: Ints  # provider x seed
    own_track: NDArray[np.bool_]
    own_dkim: NDArray[np.bool_]
    pool: Ints
    affinity: Floats  # sender x domain: how often its campaigns link to it
    attaches: NDArray[np.bool_]
    base: Floats  # sender x provider
    of_seed: Floats  # provider x seed
    drift: Floats  # day x sender x provider
    wobble: Floats  # day x provider
    season: Floats  # provider x weekday
    episodes: list[Episode]
    broken: list[tuple[float, float, int, int]]  # from, to, provider, seed


def build(g: Generator, c: Settings) -> World:
    """Draw a world. The order of the draws is part of the format."""
    size, hours = c.S, c.days * 24
    esp = g.choice(len(SERVICES), size, p=np.array(SERVICES))
    rate = np.exp(g.uniform(np.log(c.rate_lo), np.log(c.rate_hi), size))
    seeds = g.choice(SEEDS_OF_TENANT, size)
    region = np.tile(np.arange(c.R), c.M // c.R + 1)[: c.M][None].repeat(c.P, 0)
    own_track = g.random(size) < 0.4
    own_dkim = g.random(size) < 0.8
    pool = np.where(g.random(size) < 0.3, 100 + np.arange(size), esp * 3 + g.integers(0, 3, size))
    popularity = 1.0 / (1 + np.arange(DOMAINS)) ** 0.9 * 0.5
    affinity = np.clip(popularity[None] * g.gamma(1.0, 1.0, (size, DOMAINS)), 0, 0.95)
    attaches = g.random(size) < 0.1
    base = (
        c.base_mu
        + g.normal(0, c.base_sd, (size, 1)) * 0.7
        + g.normal(0, c.base_sd, (size, c.P)) * 0.7
        + np.linspace(0.3, -0.4, c.P)[None]
    )
    of_seed = g.normal(0, c.mbox_sd, (c.P, c.M)) - 2.5 * (g.random((c.P, c.M)) < c.cranky)
    drift, wobble = _drifts(g, c)
    season = c.season_amp * g.normal(0, 1, (c.P, 7))
    season -= season.mean(1, keepdims=True)
    return World(
        *(esp, rate, seeds, region, own_track, own_dkim, pool, affinity, attaches),
        *(base, of_seed, drift, wobble, season, _episodes(g, c, hours), _broken(g, c, hours)),
    )


def _drifts(g: Generator, c: Settings) -> tuple[Floats, Floats]:
    days = int(c.days) + 2
    drift, wobble = np.zeros((days, c.S, c.P)), np.zeros((days, c.P))
    for day in range(1, days):
        drift[day] = 0.97 * drift[day - 1] + g.normal(0, c.drift_sd, (c.S, c.P))
        wobble[day] = (1 - c.prov_rev) * wobble[day - 1] + g.normal(0, c.prov_sd, c.P)
    return drift, wobble


def _episodes(g: Generator, c: Settings, hours: float) -> list[Episode]:
    found = []
    for sender in range(c.S):
        for t0 in np.sort(g.uniform(0, hours, g.poisson(c.episode_rate * c.days))):
            provider = -1 if g.random() < c.episode_all else int(g.integers(c.P))
            t1 = t0 + 24 * g.exponential(c.episode_days)
            found.append(Episode(t0, t1, sender, provider, g.uniform(2, 5)))
    steady = c.controls if c.controls_steady else 0
    return [episode for episode in found if episode.sender >= steady]


def _broken(g: Generator, c: Settings, hours: float) -> list[tuple[float, float, int, int]]:
    found = []
    for provider in range(c.P):
        for seed in range(c.M):
            starts = g.uniform(0, hours, g.poisson(c.mbreak_rate * c.days))
            found += [(t, t + 24 * g.exponential(c.mbreak_days), provider, seed) for t in starts]
    return found


def campaigns(g: Generator, c: Settings, world: World) -> tuple[Floats, Ints]:
    """When campaigns are sent, and by whom: in working hours, less at week-ends."""
    weekday = np.array([1, 1.1, 1.1, 1.1, 1, 0.45, 0.35])
    hour = np.full(24, 0.25)
    hour[7:20] = 1.6
    hour /= hour.mean()
    times, senders = [], []
    for sender in range(c.S):
        most = world.rate[sender] * 1.1 * 1.9
        t = np.cumsum(g.exponential(24 / most, int(most * c.days * 1.3 + 30)))
        t = t[t < c.days * 24]
        busy = weekday[(t // 24).astype(int) % 7] * hour[t.astype(int) % 24]
        keep = g.random(len(t)) < (world.rate[sender] * busy) / (most * 1.0)
        if sender < c.controls:
            t = np.arange(sender * 0.5, c.days * 24, 2.0)
            keep = np.ones(len(t), dtype=bool)
        times.append(t[keep])
        senders.append(np.full(keep.sum(), sender))
    sent, who = np.concatenate(times), np.concatenate(senders)
    order = np.argsort(sent)
    return sent[order], who[order]


def features(g: Generator, world: World, sender: int) -> list[str]:
    """What a campaign of *sender* can be blamed for."""
    links = np.flatnonzero(g.random(DOMAINS) < world.affinity[sender])
    esp = world.esp[sender]
    found = [f"url:own{sender}", *(f"url:u{link}" for link in links)]
    found.append(f"track:own{sender}" if world.own_track[sender] else f"track:esp{esp}")
    found.append(f"dkim:own{sender}" if world.own_dkim[sender] else f"dkim:esp{esp}")
    found += [f"ip:{world.pool[sender]}", f"esp:{esp}"]
    if world.attaches[sender] and g.random() < 0.5:
        found.append("attach:1")
    return found


def level(world: World, t: float, sender: int) -> Floats:
    """The usual logit of the share that arrives, by provider, at hour *t*."""
    day = int(t / 24)
    late = t / 24 - day
    drift = (1 - late) * world.drift[day, sender], late * world.drift[day + 1, sender]
    wobble = (1 - late) * world.wobble[day], late * world.wobble[day + 1]
    return np.asarray(
        world.base[sender] + drift[0] + drift[1] + wobble[0] + wobble[1] + world.season[:, day % 7]
    )


def settings(pairs: Mapping[str, Any]) -> Settings:
    """Settings by name; a name that is none is a TypeError."""
    return Settings(**pairs)
