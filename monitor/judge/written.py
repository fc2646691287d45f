"""Writes an event of the judge as a record of `seedwatch replay` (docs/replay.md)."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from monitor.core.incidents import IncidentEvent, Tally

_COLUMNS = ("name", "n", "bad", "n_eff", "low", "high", "expected")


def written(
    event: IncidentEvent, at: object, time: Callable[[datetime], float | str], *, explain: bool
) -> dict[str, Any]:
    """Return the record of *event*.

    Args:
        at: the time of the check that made the judge say so, as the stream wrote it.
        time: writes a moment in the kind in which the stream tells time.
        explain: with the reason and the table of evidence.
    """
    record: dict[str, Any] = {
        "type": "incident",
        "t": at,
        "id": event.incident,
        "state": event.state.value,
        "cause": event.cause.value,
        "provider": event.provider,
        "feature": event.feature,
        "sender": event.sender,
        "esp": event.esp,
        "seed": event.seed,
        "start": time(event.start),
        "start_low": time(event.start_low),
        "start_high": time(event.start_high),
        "posterior": {c.value: round(p, 4) for c, p in event.posterior.items()},
        "direction": event.direction.value,
        "hit": list(event.hit),
        "spared": list(event.spared),
        "sentence": event.sentence,
    }
    if event.gauge is not None:
        record["gauge"] = event.gauge
    if explain:
        record["reason"] = event.reason
        record["evidence"] = _evidence(event)
    return record


def _evidence(event: IncidentEvent) -> dict[str, Any]:
    table = event.evidence
    evidence = {
        "hit": _rows(table.hit),
        "spared": _rows(table.spared),
        "controls": _rows(table.controls),
        "placements": dict(table.placements),
        "tests": list(event.tests),
    }
    if table.readings:
        evidence["readings"] = [asdict(reading) for reading in table.readings]
    return evidence


def _rows(tallies: Iterable[Tally]) -> list[dict[str, Any]]:
    return [
        {n: round(v, 4) if isinstance(v := getattr(tally, n), float) else v for n in _COLUMNS}
        for tally in tallies
    ]
