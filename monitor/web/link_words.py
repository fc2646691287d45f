"""What the pages of links say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.core.errors import PersonNeededError

_MORNING = time(9, 0)
LENGTHS = {"4h": "for 4 hours", "tomorrow": "until tomorrow, 9:00", "3d": "for 3 days"}


@dataclass(frozen=True, slots=True)
class Told:
    """One page: a title, what it says, and what can be done; without a button, nothing.

    Args:
        quoted: what others wrote: shown apart, and cleaned.
        choices: (value, words) of what can be chosen; the first one is chosen already.
        incident: the incident that it is about, for a link to its page.
    """

    title: str
    lines: Sequence[str] = ()
    quoted: str = ""
    button: str = ""
    choices: Sequence[tuple[str, str]] = ()
    tone: str = "none"
    incident: str = ""


def not_possible(error: PersonNeededError) -> Told:
    return Told(error.what, (error.remedy,), tone="mixed")


def gone() -> PersonNeededError:
    return PersonNeededError(
        "There is no such recipient any more.",
        remedy="Nothing is sent to it, so there is nothing to do.",
    )


def snoozed_until(choice: str, zone: str, now: datetime) -> datetime:
    """Return the end of a snooze, in UTC. *choice* is one of LENGTHS; *zone* is the route's."""
    if choice == "tomorrow":
        here = _zone(zone)
        tomorrow = now.astimezone(here).date() + timedelta(days=1)
        return datetime.combine(tomorrow, _MORNING, here).astimezone(UTC)
    return now + (timedelta(hours=4) if choice == "4h" else timedelta(days=3))


def local(at: datetime, zone: str) -> str:
    """A time as people at the route read it: "Tue 3 March, 09:00 (Europe/Berlin)"."""
    here = _zone(zone)
    shown = at.astimezone(here)
    return f"{shown:%a} {shown.day} {shown:%B}, {shown:%H:%M} ({here.key})"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
