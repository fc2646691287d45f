"""Scores incidents against the truth of simulated streams. Times are hours.

    python -m benchmarks.judge.score DIR

DIR holds NAME.obs.jsonl, NAME.truth.jsonl and NAME.incidents.jsonl. An alarm is the first
event of an incident whose state is "confirmed".

found   an alarm of the right cause's family at the right place, at most 24 h after the end
hours   from the onset to that alarm; campaigns: those that had met the cause by then
cause   is the cause, and its place, as last said within 24 h of the alarm, right?
false   alarms against a provider of which no trouble has begun; again: for one found already
blamed  alarms against a sender hit only by a provider, a day or more after the onset
names   alarms of the family of common causes beside the truth, of any run
"""

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]
PROVIDER = frozenset({"provider", "provider_feature"})
PROVIDER_SIDE = frozenset({"provider", "provider_region", "provider_feature"})
FAMILY = {
    "provider": PROVIDER,
    "provider_region": PROVIDER,
    "provider_feature": PROVIDER,
    "feature": {"content"},
    "sender": {"sender"},
    "sender_provider": {"sender_at_provider", "sender"},
    "esp": {"esp"},
    "mailbox": {"seed"},
    "monitor": {"monitor"},
}
EXACT = FAMILY | {
    "provider": {"provider"},
    "provider_feature": {"provider_feature"},
    "sender_provider": {"sender_at_provider"},
}
COMMON = frozenset({"content", "esp", "monitor"})
DAY_H = 24.0


@dataclass(slots=True)
class Row:
    """What the runs of one scenario came to."""

    days: list[float] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    hours: list[float] = field(default_factory=list)
    campaigns: list[int] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    stated: list[float] = field(default_factory=list)
    false: int = 0
    again: int = 0
    blamed: int = 0
    names: int = 0


@dataclass(frozen=True, slots=True)
class Alarm:
    t: float
    first: Record  # the event
    settled: Record  # the latest confirmed one within a day


def read(path: Path) -> list[Record]:
    with path.open() as file:
        return [json.loads(line) for line in file if line.strip()]


def alarms(events: Iterable[Record]) -> list[Alarm]:
    """One alarm for each incident that was confirmed, in order of time."""
    stories: dict[str, list[Record]] = defaultdict(list)
    for event in events:
        if event["state"] == "confirmed":
            stories[event["id"]].append(event)
    found = []
    for story in stories.values():
        first = story[0]
        within = [event for event in story if event["t"] <= first["t"] + DAY_H]
        found.append(Alarm(first["t"], first, within[-1]))
    return sorted(found, key=lambda alarm: alarm.t)


def same_place(label: Record, truth: Record) -> bool:
    if truth["kind"] in PROVIDER_SIDE:
        return bool(label["provider"] == f"p{truth['provider']}")
    if truth["kind"] in {"sender", "sender_provider"}:
        return bool(label["sender"] == f"s{truth['sender']}")
    return True


def is_right(label: Record, truth: Record) -> bool:
    kind = truth["kind"]
    if label["cause"] not in EXACT[kind] or not same_place(label, truth):
        return False
    if kind == "sender_provider" and label["provider"] != f"p{truth['provider']}":
        return False
    return kind not in {"provider_feature", "feature"} or label["feature"] == truth["feature"]


def _meets(campaign: Record, truth: Record) -> bool:
    sender, kind = int(campaign["s"][1:]), truth["kind"]
    if kind in {"provider_feature", "feature"}:
        return truth["feature"] in campaign["feat"]
    if kind in {"provider", "provider_region"}:
        return sender in truth["aff"]
    if "sender" in truth:
        return bool(sender == truth["sender"])
    return kind != "esp" or f"esp:{truth['esp']}" in campaign["feat"]


def _one_truth(row: Row, truth: Record, known: list[Alarm], campaigns: list[Record]) -> None:
    mine = [
        alarm
        for alarm in known
        if alarm.first["cause"] in FAMILY[truth["kind"]]
        and same_place(alarm.first, truth)
        and truth["t0"] <= alarm.t <= truth["t1"] + DAY_H
    ]
    row.found.append(bool(mine))
    row.again += max(0, len(mine) - 1)
    if not mine:
        return
    alarm = mine[0]
    met = (c for c in campaigns if truth["t0"] <= c["t"] <= alarm.t)
    row.hours.append(alarm.t - truth["t0"])
    row.campaigns.append(sum(_meets(campaign, truth) for campaign in met))
    row.right.append(is_right(alarm.settled, truth))
    stated = alarm.settled["posterior"].get(alarm.settled["cause"])
    if stated is not None:
        row.stated.append(stated)


def _blamed(alarm: Alarm, truths: list[Record], nuisances: list[Record]) -> bool:
    """Is a sender blamed for what a provider did to it?"""
    label = alarm.settled
    own = {f"s{truth['sender']}" for truth in truths if "sender" in truth}
    if label["cause"] not in {"sender", "sender_at_provider"} or label["sender"] in own:
        return False
    side = [truth for truth in truths if truth["kind"] in PROVIDER_SIDE]
    return any(t["t0"] + DAY_H <= alarm.t <= t["t1"] for t in side) and not any(
        label["sender"] == f"s{n['sender']}" and n["t0"] <= alarm.t <= n["t1"] + 7 * DAY_H
        for n in nuisances
    )


def _one_run(row: Row, folder: Path, name: str) -> None:
    stream = read(folder / f"{name}.obs.jsonl")
    _, *rest = read(folder / f"{name}.truth.jsonl")
    truths = [record for record in rest if record["type"] == "cause"]
    nuisances = [record for record in rest if record["type"] == "nuisance"]
    start, end = stream[0]["evaluate_from"], max(r["t"] for r in stream if "t" in r)
    campaigns = [record for record in stream if record["type"] == "campaign"]
    known = [a for a in alarms(read(folder / f"{name}.incidents.jsonl")) if a.t >= start]
    row.days.append((end - start) / DAY_H)
    for truth in truths:
        _one_truth(row, truth, known, campaigns)
    side = [truth for truth in truths if truth["kind"] in PROVIDER_SIDE]
    for alarm in known:
        label = alarm.first
        if label["cause"] in PROVIDER:
            row.false += not any(same_place(label, t) and t["t0"] <= alarm.t for t in side)
        common = label["cause"] in COMMON and label["sender"] is None
        row.names += common and not any(label["cause"] in FAMILY[t["kind"]] for t in truths)
        row.blamed += _blamed(alarm, truths, nuisances)


def score(folder: Path) -> dict[str, dict[str, Any]]:
    """The figures of each scenario of which *folder* holds finished runs."""
    rows: dict[str, Row] = defaultdict(Row)
    for path in sorted(folder.glob("*.incidents.jsonl")):
        name = path.name.removesuffix(".incidents.jsonl")
        scenario = read(folder / f"{name}.truth.jsonl")[0]["scenario"]
        _one_run(rows[scenario], folder, name)
    return {scenario: _summary(row) for scenario, row in sorted(rows.items())}


def _summary(row: Row) -> dict[str, Any]:
    def mean(values: Iterable[float]) -> float | None:
        known = list(values)
        return round(statistics.fmean(known), 3) if known else None

    def quantile(values: Iterable[float], q: float) -> float | None:
        known = sorted(values)
        return round(known[min(len(known) - 1, int(q * len(known)))], 2) if known else None

    years = sum(row.days) / 365
    return {
        "runs": len(row.days),
        "found": mean(row.found),
        "hours_p50": quantile(row.hours, 0.5),
        "hours_p95": quantile(row.hours, 0.95),
        "campaigns_p50": quantile(row.campaigns, 0.5),
        "cause_ok": mean(row.right),
        "posterior_said": mean(row.stated),
        "false_per_year": round(row.false / years, 2) if years else None,
        "false": row.false,
        "again": row.again,
        "blamed": row.blamed,
        "names": row.names,
    }


def show(table: dict[str, dict[str, Any]]) -> str:
    """The table as lines of text."""
    keys = list(next(iter(table.values()), {}))
    lines = ["scenario".ljust(16) + "".join(key.rjust(15) for key in keys)]
    for name, row in table.items():
        cells = ("-" if row[key] is None else str(row[key]) for key in keys)
        lines.append(name.ljust(16) + "".join(cell.rjust(15) for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    print(show(score(Path(sys.argv[1]))))
