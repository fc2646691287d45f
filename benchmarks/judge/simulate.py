"""Streams of placements with a known cause: a world, and one scenario's trouble in it.

    python -m benchmarks.judge.simulate SCENARIO SEED PREFIX [NAME=VALUE ...]

writes PREFIX.obs.jsonl, which `seedwatch replay` reads, and PREFIX.truth.jsonl.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.judge import documented, scenarios
from benchmarks.judge import world as w
from benchmarks.judge.scenarios import SCENARIOS, Truth
from benchmarks.judge.world import (
    LATE,
    MISSING,
    QUARANTINE,
    REJECTED,
    SPAM,
    Floats,
    Generator,
    Settings,
)

SEEN_AS = [*w.PLACES, "missing"]  # at the first check
Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Run:
    """One stream: arrays are campaign x provider x seed."""

    settings: Settings
    scenario: str
    seed: int
    world: w.World
    truth: list[Truth]
    sent: Floats
    senders: w.Ints
    features: list[list[str]]
    asked: Bools
    place: NDArray[np.int8]
    moved: NDArray[np.int8]  # at which recheck; 0 is never
    moved_to: NDArray[np.int8]  # campaign x provider
    checked: Floats  # campaign x provider: hour of the first check


def simulate(scenario: str, seed: int, settings: Settings | None = None) -> Run:
    """Return the stream of *scenario* that *seed* gives."""
    c = settings or Settings()
    if scenario == "null_season":
        c = replace(c, season_amp=0.8)
    g = np.random.default_rng([seed, scenarios.number(scenario)])
    world = w.build(g, c)
    truth = scenarios.truths(g, c, world, scenario)
    sent, senders = w.campaigns(g, c, world)
    n = len(sent)
    features = [w.features(g, world, int(sender)) for sender in senders]
    checked = sent[:, None] + 0.33 + g.uniform(0, 0.33, (n, c.P))
    run = Run(
        *(c, scenario, seed, world, truth, sent, senders, features),
        asked=np.zeros((n, c.P, c.M), dtype=bool),
        place=np.zeros((n, c.P, c.M), dtype=np.int8),
        moved=np.zeros((n, c.P, c.M), dtype=np.int8),
        moved_to=np.full((n, c.P), SPAM, dtype=np.int8),
        checked=checked,
    )
    for number in range(n):
        _send(g, run, number)
    _break(run)
    return run


def _send(g: Generator, run: Run, number: int) -> None:
    """Let one campaign meet what it meets."""
    c, world, t, sender = run.settings, run.world, run.sent[number], int(run.senders[number])
    run.asked[number] = (np.arange(c.M) + sender * 7) % c.M < world.seeds[sender]
    logit = w.level(world, t, sender) + c.u_c * g.normal() + c.u_cp * g.normal(size=c.P)
    if g.random() < c.own_fail_all:
        logit -= 5
    logit = logit - 4 * (g.random(c.P) < c.own_fail_p)
    for episode in world.episodes:
        if episode.sender == sender and episode.t0 <= t < episode.t1:
            logit[slice(None) if episode.provider < 0 else episode.provider] -= episode.shift
    for truth in run.truth:
        if truth.get("sender") == sender and truth["t0"] <= t < truth["t1"]:
            logit[truth.get("provider", slice(None))] -= truth["shift"]
    bad = g.random((c.P, c.M)) > 1.0 / (1.0 + np.exp(-(logit[:, None] + world.of_seed)))
    lost = np.where(g.random((c.P, 1)) < 0.9, SPAM, REJECTED)
    place = np.where(bad, lost, np.where(g.random((c.P, c.M)) < 0.15, w.TAB, w.INBOX))
    place = np.where(g.random((c.P, c.M)) < c.miss_p, MISSING, place)
    moved = np.where(g.random((c.P, c.M)) < c.moved_p, g.integers(1, 4, (c.P, c.M)), 0)
    together = (g.random((c.P, 1)) < c.moved_cl) & (g.random((c.P, c.M)) < 0.6)
    moved = np.where(together, g.integers(1, 4, (c.P, 1)), moved)
    for truth in run.truth:
        place, moved = _meet(g, run, number, truth, (place, moved))
    run.moved[number] = np.where((place <= w.TAB) | (place == LATE), moved, 0)
    run.place[number] = place


def _hits(run: Run, number: int, truth: Truth) -> Bools:
    """Provider x seed: whose copies the cause takes."""
    c, sender, kind, t = run.settings, int(run.senders[number]), truth["kind"], run.sent[number]
    since = truth["t0"] - truth.get("recalls", 0.0)
    on = since <= t < truth["t1"]
    hit = np.zeros((c.P, c.M), dtype=bool)
    where = truth.get("provider", slice(None))
    if kind == "provider":  # what was sent before may be removed
        hit[where] = truth["aff"][sender]
    elif kind == "provider_region" and on and truth["aff"][sender]:
        hit[where] = run.world.region[where] == truth["region"]
    elif kind == "esp":
        hit[where] = on and run.world.esp[sender] == truth["esp"]
    elif kind in {"feature", "provider_feature"}:
        after = truth.get("features", {truth["feature"]: 0.0})
        met = [after[name] for name in run.features[number] if name in after]
        hit[where] = on and any(t >= since + hours for hours in met)
    return hit


def _meet(
    g: Generator, run: Run, number: int, truth: Truth, state: tuple[Any, Any]
) -> tuple[Any, Any]:
    """What *truth* makes of the places of a campaign's copies and of their moves."""
    place, moved = state
    hit, t = _hits(run, number, truth), run.sent[number]
    if not hit.any() or ("campaigns" in truth and g.random() >= truth["campaigns"]):
        return state
    if truth.get("zap") or "recalls" in truth:
        moved = _remove(g, run, number, truth, (hit, moved))
    if truth.get("zap"):
        return place, moved
    if truth["t0"] <= t < truth["t1"]:
        grown = min(1.0, (t - truth["t0"]) / truth["ramp"]) if "ramp" in truth else 1.0
        taken = hit & (g.random(hit.shape) < truth["delta"] * grown)
        place = np.where(taken, truth["cat"], place)
        if truth["cat"] == LATE:
            moved = _arrive(run, number, truth, (taken, moved))
    return place, moved


def _remove(g: Generator, run: Run, number: int, truth: Truth, state: tuple[Bools, Any]) -> Any:  # noqa: ANN401 - an array, as the others are
    """Delivered copies go to quarantine some hours after the cause began or they were sent."""
    (hit, moved), t = state, run.sent[number]
    if truth["t0"] - truth.get("recalls", 8) <= t < truth["t1"]:
        when = max(t, truth["t0"]) + g.uniform(0.5, 8)
        check = int(np.searchsorted(t + np.array(w.RECHECKS_H), when)) + 1
        if check <= 3:
            moved = np.where(hit & (g.random(hit.shape) < truth["delta"]), check, moved)
            run.moved_to[number, truth["provider"]] = QUARANTINE
    return moved


def _arrive(run: Run, number: int, truth: Truth, state: tuple[Bools, Any]) -> Any:  # noqa: ANN401 - an array, as the others are
    """Late copies are found by the check that comes after their delay, if there is one."""
    taken, moved = state
    check = int(np.searchsorted(np.array(w.RECHECKS_H), truth["late"])) + 1
    run.moved_to[number, truth["provider"]] = w.INBOX
    return np.where(taken, check if check <= len(w.RECHECKS_H) else 0, moved)


def _break(run: Run) -> None:
    """Seeds that are broken, and a monitor that is blind, miss all mail of their time."""
    broken = list(run.world.broken)
    broken += [
        (truth["t0"], truth["t1"], truth["provider"], truth["mailbox"])
        for truth in run.truth
        if truth["kind"] == "mailbox"
    ]
    for t0, t1, p, m in broken:
        during = (run.checked[:, p] >= t0) & (run.checked[:, p] < t1)
        run.place[during, p, m], run.moved[during, p, m] = MISSING, 0
    for truth in run.truth:
        if truth["kind"] == "monitor":
            blind = (run.checked >= truth["t0"]) & (run.checked < truth["t1"])
            run.place[blind], run.moved[blind] = MISSING, 0


def _checks(run: Run) -> Iterator[tuple[float, int, int, int]]:
    """Hour, number of the check, campaign and provider, in order of time."""
    n, size = run.checked.shape
    later = [
        (run.sent[:, None] + hours + 0.05 * (1 + np.arange(size))[None]).ravel()
        for hours in w.RECHECKS_H
    ]
    times = np.concatenate([run.checked.ravel(), *later])
    for place in np.argsort(times, kind="stable").tolist():
        if times[place] < run.settings.days * 24:
            yield times[place], place // (n * size), place % (n * size) // size, place % size


def records(run: Run) -> Iterator[dict[str, Any]]:
    """The stream, as `seedwatch replay` reads it."""
    c = run.settings
    boxes = [
        {"m": f"p{p}-{m:02d}", "p": f"p{p}", "group": f"g{run.world.region[p, m]}"}
        for p in range(c.P)
        for m in range(c.M)
    ]
    names = [f"p{p}" for p in range(c.P)]
    head = {"type": "world", "v": 1, "providers": names, "mailboxes": boxes}
    yield head | {"cats": w.PLACES, "evaluate_from": c.burn * 24}
    told: set[int] = set()
    for t, look, i, p in _checks(run):
        name = f"c{i}"
        if i not in told:
            told.add(i)
            sent = {"t": round(float(run.sent[i]), 4), "c": name, "s": f"s{run.senders[i]}"}
            yield {"type": "campaign", **sent, "feat": run.features[i]}
        seeds = np.flatnonzero(run.asked[i, p]).tolist()
        check = {"type": "check", "t": round(float(t), 4), "c": name, "p": f"p{p}", "chk": look}
        if look:
            to = w.PLACES[run.moved_to[i, p]]
            yield check | {"chg": {str(m): to for m in seeds if run.moved[i, p, m] == look}}
        else:
            place = run.place[i, p]
            bad = {str(m): SEEN_AS[place[m]] for m in seeds if place[m] >= w.TAB}
            yield check | {"seeds": seeds, "bad": bad}


def truths(run: Run) -> Iterator[dict[str, Any]]:
    """What was really the case, for the score."""
    days = run.settings.days - run.settings.burn
    head = {"type": "run", "scenario": run.scenario, "seed": run.seed}
    side = {"provider", "provider_region", "provider_feature"}
    quiet = not any(truth["kind"] in side for truth in run.truth)
    yield head | {"quiet": quiet, "days": days}
    for truth in run.truth:
        told = {k: np.flatnonzero(v).tolist() if k == "aff" else v for k, v in truth.items()}
        yield told | {"type": "cause"}
    for t0, t1, sender, provider, _ in run.world.episodes:
        yield {"type": "nuisance", "t0": t0, "t1": t1, "sender": sender, "provider": provider}
    for t0, t1, p, m in run.world.broken:
        yield {"type": "broken", "t0": t0, "t1": t1, "provider": p, "mailbox": m}


def write(run: Run, prefix: Path) -> None:
    """Write PREFIX.obs.jsonl and PREFIX.truth.jsonl."""
    for name, lines in (("obs", records(run)), ("truth", truths(run))):
        with Path(f"{prefix}.{name}.jsonl").open("w") as file:
            file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def main() -> None:
    names = (*SCENARIOS, *documented.cases())
    if len(sys.argv) < 4 or sys.argv[1] not in names:
        sys.exit(f"{__doc__}\nscenarios: {' '.join(names)}")
    pairs = dict(argument.split("=") for argument in sys.argv[4:])
    numbers = {k: int(v) if v.lstrip("-").isdigit() else float(v) for k, v in pairs.items()}
    write(simulate(sys.argv[1], int(sys.argv[2]), w.settings(numbers)), Path(sys.argv[3]))


if __name__ == "__main__":
    main()
