"""The rows of an incident's evidence, with names for people. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.core.incidents import Incident, Reading, Tally
from monitor.judge.gauges.kinds import KINDS
from monitor.store.pages_incidents import SenderName
from monitor.web.verdict import feature_words

_WITHOUT = "without "  # begins the judge's name for mail that lacks the blamed part


@dataclass(frozen=True, slots=True)
class Row:
    """One line of evidence. `name` and `domain` hold strangers' words."""

    name: str
    domain: str
    tally: Tally
    own: Incident | None = None  # the trouble that this sender had of its own at the time


def sender_rows(
    tallies: Iterable[Tally],
    names: Mapping[str, SenderName],
    troubles: Mapping[str, Incident] | None = None,
) -> list[Row]:
    """Return the lines of senders; *troubles* tells who had one of its own."""
    rows = []
    for tally in tallies:
        known = names.get(tally.name)
        name, domain = (known.name, known.domain) if known else (tally.name, "")
        rows.append(Row(name, domain, tally, (troubles or {}).get(tally.name)))
    return rows


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """What a gauge shows for one sender, or for the same mail at another provider."""

    name: str
    domain: str
    label: str  # of the gauge
    usual: str
    now: str
    campaigns: int
    is_hit: bool


def reading_rows(
    readings: Iterable[Reading],
    names: Mapping[str, SenderName],
    provider_name: Callable[[str], str],
) -> list[ReadingRow]:
    """Return the lines of readings, those hit first, controls last, as the judge tells them."""
    rows = []
    for one in readings:
        known = None if one.is_control else names.get(one.name)
        plain = provider_name(one.name) if one.is_control else one.name
        name, domain = (known.name, known.domain) if known else (plain, "")
        gauge = KINDS[one.gauge]
        told = (gauge.label, gauge.told(one.usual), gauge.told(one.now))
        rows.append(ReadingRow(name, domain, *told, one.n, one.is_hit))
    return rows


def control_rows(
    tallies: Iterable[Tally], incident: Incident, provider_name: Callable[[str], str]
) -> list[Row]:
    """Return the lines of the controls: other providers, and mail without the blamed part."""
    provider = incident.latest.provider
    at = f" at {provider_name(provider)}" if provider else ""
    rows = []
    for tally in tallies:
        if tally.name.startswith(_WITHOUT):
            words = feature_words(tally.name.removeprefix(_WITHOUT))
            rows.append(Row(f"Mail without {words}{at}", "", tally))
        else:
            rows.append(Row(provider_name(tally.name), "", tally))
    return rows


def own_troubles(incident: Incident, others: Sequence[Incident]) -> dict[str, Incident]:
    """Sender -> the confirmed incident of its own that overlaps *incident*."""
    return {
        other.latest.sender: other
        for other in others
        if other.latest.sender and other.latest.part_of is None
        if other.was_confirmed and _overlap(incident, other)
    }


def _overlap(one: Incident, other: Incident) -> bool:
    if one.id == other.id:
        return False
    ends_late = other.closed_at is None or other.closed_at > one.latest.start_low
    begins_early = one.closed_at is None or other.latest.start_low < one.closed_at
    return ends_late and begins_early
