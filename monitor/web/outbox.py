"""Alerts as a page tells them: one line for all that were told the same. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from monitor.store.pages_incidents import SentAlert

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Told:
    """Alerts of the same words with the same fate; `latest` speaks for all."""

    latest: SentAlert
    to: tuple[str, ...]  # the first few, a stranger's words
    more: int  # how many further ones there are


def told(alerts: Iterable[SentAlert]) -> list[Told]:
    """Join *alerts* that stand side by side and differ in nothing but whom they went to."""
    lines = []
    for _, same in groupby(alerts, key=_words):
        group = list(same)
        addresses = tuple(alert.to for alert in group[:_NAMED])
        lines.append(Told(group[0], addresses, len(group) - len(addresses)))
    return lines


def _words(alert: SentAlert) -> tuple[object, ...]:
    fate = (alert.sent_at is not None, alert.dead_at is not None, alert.error)
    return (alert.incident, alert.state, alert.subject, alert.kind, *fate)
