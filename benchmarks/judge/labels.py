"""One run as the score sees it: what was wrong, what was told, and whether that is right."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Alarm:
    t: float
    first: Record  # the event
    settled: Record  # the latest confirmed one within a day

    @property
    def is_worse(self) -> bool:
        return bool(self.first.get("direction", "worse") == "worse")


@dataclass(frozen=True, slots=True)
class Case:
    """One run: what was sent, what was wrong, what was nobody's to find, and what was told."""

    head: Record
    days: float
    campaigns: list[Record]
    truths: list[Record]
    nuisances: list[Record]  # senders in trouble of their own
    broken: list[Record]  # seeds
    alarms: list[Alarm]

    def with_alarms(self, alarms: list[Alarm]) -> "Case":
        return replace(self, alarms=alarms)


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


def is_accepted(label: Record, truth: Record) -> bool:
    """Is it right, or another true name of a documented incident?"""
    if is_right(label, truth):
        return True
    if label["cause"] not in FAMILY[truth["kind"]] or not same_place(label, truth):
        return False
    return label["cause"] in truth.get("also_right", []) or (
        label["cause"] == "provider_feature" and label["feature"] in truth.get("features", {})
    )


def meets(campaign: Record, truth: Record) -> bool:
    sender, kind = int(campaign["s"][1:]), truth["kind"]
    if kind in {"provider_feature", "feature"}:
        return any(name in campaign["feat"] for name in truth.get("features", [truth["feature"]]))
    if kind in {"provider", "provider_region"}:
        return sender in truth["aff"]
    if "sender" in truth:
        return bool(sender == truth["sender"])
    return kind != "esp" or f"esp:{truth['esp']}" in campaign["feat"]


def met(case: Case, truth: Record, until: float) -> int:
    """The campaigns that had met *truth* by then."""
    return sum(meets(c, truth) for c in case.campaigns if truth["t0"] <= c["t"] <= until)


def case_of(stream: Iterable[Record], truth: list[Record], events: Iterable[Record]) -> Case:
    """One run, from its three files."""
    head, last, campaigns = {}, 0.0, []
    for record in stream:
        last = max(last, record.get("t", 0.0))
        if record["type"] == "world":
            head = {key: record[key] for key in ("evaluate_from", "providers")}
        elif record["type"] == "campaign":
            campaigns.append(record)
    kinds: dict[str, list[Record]] = defaultdict(list)
    for record in truth:
        kinds[record["type"]].append(record)
    start = head["evaluate_from"]
    known = [alarm for alarm in alarms(events) if alarm.t >= start]
    days = (last - start) / DAY_H
    found = kinds["cause"], kinds["nuisance"], kinds["broken"], known
    return Case(head | kinds["run"][0], days, campaigns, *found)
