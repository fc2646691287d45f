"""News: what an incident's event says that a route has not been told yet. Pure."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.core.blamed import features_of
from monitor.core.incidents import Cause, Direction, IncidentEvent, State
from monitor.core.routes import Severity

LONGEST_TOPIC = 200  # characters; AlertRow holds a few more, for a number
REGION = "region:"


class Kind(StrEnum):
    """What is new. An alert of an incident holds it in its body, as "news"."""

    OPENED = "opened"
    WIDENED = "widened"  # twice as many senders, another provider, more regions
    CHANGED = "changed"  # another cause, or another feature
    CLOSED = "closed"  # it recovered, or is over for another reason
    REMINDER = "reminder"  # nobody has acknowledged it


@dataclass(frozen=True, slots=True)
class Told:
    """What one alert of an incident has told a route, or will tell it."""

    topic: str
    cause: Cause
    provider: str | None = None
    feature: str | None = None
    hit: int = 0  # senders
    is_end: bool = False
    is_before: bool = False  # a warning to hold mail: its sender was not hit


@dataclass(frozen=True, slots=True)
class News:
    """What a route is told now: once for each `topic` of an incident."""

    kind: Kind
    topic: str
    severity: Severity


def news(
    event: IncidentEvent,
    told: Sequence[Told],
    *,
    is_before: bool = False,
    taken: Collection[str] = (),
) -> News | None:
    """Return what *event* has to tell a route, or None if the route knows it all.

    An incident that is said to be A, then B, then A again is told three times: the last word
    that people have must be the present one.

    Args:
        told: what the route was told of this incident, oldest first.
        is_before: the route's senders are not hit yet.
        taken: topics that were owed to the route, and never reached it.
    """
    if event.state is State.CLOSED:
        return _end(event, told)
    if event.state is not State.CONFIRMED:
        return None
    heard = [one for one in told if not one.is_end and (is_before or not one.is_before)]
    kind = _kind(event, heard[-1], is_before=is_before) if heard else Kind.OPENED
    if kind is None:
        return None
    topic = _free(_topic(event, kind, heard, is_before=is_before), told, taken)
    return News(kind, topic, severity(event))


def reminder(event: IncidentEvent, told: Sequence[Told]) -> News:
    """Return the next reminder of an incident that goes on as *event* says."""
    earlier = sum(one.topic.startswith(f"{Kind.REMINDER}/") for one in told)
    return News(Kind.REMINDER, f"{Kind.REMINDER}/{earlier + 1}", severity(event))


def severity(event: IncidentEvent) -> Severity:
    """How urgent *event* is.

    Critical is what hits a whole provider, a whole mail service or a sender everywhere; a
    filter's scores are not, because that mail still arrives.
    """
    if event.direction is Direction.BETTER or event.state is State.CLOSED:
        return Severity.INFO
    everywhere = event.cause.blames_provider or event.cause in {Cause.ESP, Cause.SENDER}
    if event.state is State.CONFIRMED and everywhere and not event.is_foreboding:
        return Severity.CRITICAL
    return Severity.WARNING


def _end(event: IncidentEvent, told: Sequence[Told]) -> News | None:
    """An end is news to whoever has heard of the beginning, once."""
    if not told or any(one.is_end for one in told):
        return None
    return News(Kind.CLOSED, f"closed/{event.cause}", severity(event))


def _kind(event: IncidentEvent, last: Told, *, is_before: bool) -> Kind | None:
    if event.cause is not last.cause:
        return Kind.CHANGED
    if event.provider != last.provider:
        return Kind.WIDENED
    if event.feature != last.feature:
        return Kind.WIDENED if _has_more_regions(event.feature, last.feature) else Kind.CHANGED
    is_doubled = last.hit > 0 and len(event.hit) >= 2 * last.hit
    return Kind.WIDENED if is_doubled and not is_before else None


def _has_more_regions(now: str | None, before: str | None) -> bool:
    """Is it the same mail as *before*, but no longer in one region only?"""
    kept = [one for one in features_of(before) if not one.startswith(REGION)]
    return features_of(now) == kept


def _topic(event: IncidentEvent, kind: Kind, heard: Sequence[Told], *, is_before: bool) -> str:
    is_same = bool(heard) and _subject(event) == _subject(heard[-1])
    if kind is Kind.WIDENED and is_same:
        return f"{Kind.WIDENED}/{len(event.hit)}"
    words = [*(["before"] if is_before else []), str(event.state), str(event.cause)]
    if kind is Kind.WIDENED and event.provider:
        words.append(event.provider)
    if event.feature:
        words.append(event.feature)
    return _short("/".join(words))


def _subject(what: IncidentEvent | Told) -> tuple[Cause, str | None, str | None]:
    return what.cause, what.provider, what.feature


def _short(topic: str) -> str:
    if len(topic) <= LONGEST_TOPIC:
        return topic
    digest = hashlib.sha256(topic.encode()).hexdigest()[:16]
    return f"{topic[: LONGEST_TOPIC - 17]}~{digest}"


def _free(topic: str, told: Sequence[Told], lost: Collection[str]) -> str:
    """Number a *topic* that comes back."""
    taken = {*lost, *(one.topic for one in told)}
    times = 1
    while (named := topic if times == 1 else f"{topic}#{times}") in taken:
        times += 1
    return named
