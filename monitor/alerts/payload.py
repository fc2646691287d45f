"""What machines are told of an incident: one JSON document (docs/warn.md says its fields)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from monitor.alerts import words
from monitor.alerts.occasion import Exposure, Occasion, Office
from monitor.alerts.view import View
from monitor.core.incidents import IncidentEvent, State

VERSION = 1
_NEWS_OF = {State.CLOSED: "closed", State.RECOVERING: "recovering", State.SUSPECTED: "suspected"}
Say = Mapping[str, Sequence[str]]


def news(event: IncidentEvent, occasion: Occasion) -> str:
    """What is new, in one word: opened, widened, changed, reminder, closed, ..."""
    return occasion.news or _NEWS_OF.get(event.state, "opened")


def payload(
    event: IncidentEvent, occasion: Occasion, office: Office, seen: View, say: Say
) -> dict[str, Any]:
    """Return the document: numbers are numbers, shares 0 to 1, times ISO 8601 in UTC.

    What is not known is null, or an empty list; it is never 0.
    """
    return {
        "version": VERSION,
        "incident": event.incident,
        "news": news(event, occasion),
        "before": occasion.is_before,
        "severity": str(occasion.severity),
        **_claim(event, office),
        "verdict": " ".join([*say.get("lead", ()), *say.get("over", ())]),
        "sentence": seen.sentence,
        "todo": [*say.get("todo", ()), *say.get("next_step", ())],
        "not_todo": list(say.get("not_todo", ())),
        "evidence": [asdict(row) | {"share": row.share} for row in seen.rows],
        "exposure": _exposure(seen.exposure),
        "tests": [{"name": name, "url": link or None} for name, link in seen.tests],
        "hold_advice": [_plain(dict(one)) for one in occasion.advice],
        "links": {
            "incident": seen.page or None,
            "acknowledge": seen.links.acknowledge or None,
            "snooze": seen.links.snooze or None,
        },
    }


def _exposure(known: Exposure | None) -> dict[str, Any] | None:
    if known is None:
        return None
    return {key: value for key, value in asdict(known).items() if key != "words"}


def _claim(event: IncidentEvent, office: Office) -> dict[str, Any]:
    """What the judge says, as it says it."""
    return {
        "state": str(event.state),
        "cause": str(event.cause),
        "direction": str(event.direction),
        "gauge": event.gauge,
        "provider": event.provider,
        "provider_name": office.names.get(event.provider or ""),
        "feature": event.feature,
        "sender": event.sender,
        "esp": event.esp,
        "since": event.start.isoformat(),
        "since_low": event.start_low.isoformat(),
        "since_high": event.start_high.isoformat(),
        "until": event.until.isoformat() if event.until else None,
        "part_of": event.part_of,
        "posterior": {str(cause): round(p, 4) for cause, p in event.posterior.items()},
    }


def advice_lines(advice: Sequence[Mapping[str, object]], event: IncidentEvent) -> list[str]:
    """Return the advice for machines as sentences for the people who run them."""
    return [_line(one, event) for one in advice]


def _line(one: Mapping[str, object], event: IncidentEvent) -> str:
    hosts = one.get("mx_patterns")
    listed = ", ".join(map(str, hosts)) if isinstance(hosts, list | tuple) and hosts else ""
    parts = (
        f"{one.get('action', 'hold')} mail for {one.get('provider') or 'every provider'}",
        f"MX {listed}" if listed else "",
        f"only with {one['feature']}" if one.get("feature") else "",
        f"look again at {_shown(one['until'])}" if one.get("until") else "",
        str(one.get("reason") or ""),
    )
    return words.guard(words.plain("; ".join(filter(None, parts)), 500), event.feature)


def _shown(at: object) -> str:
    return words.moment(at) if isinstance(at, datetime) else str(at)


def _plain(value: object) -> object:
    """The same in JSON's own kinds."""
    match value:
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case datetime():
            return value.isoformat()
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)
