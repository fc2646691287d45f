"""Alerts as pages tell them: one line for all that were told the same; and the outbox."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from flask import Blueprint, render_template

from monitor.store.pages_incidents import SentAlert
from monitor.store.pages_outbox import route_lines, stuck
from monitor.web.parts import parts

pages = Blueprint("outbox", __name__)

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Told:
    """Alerts of the same words with the same fate; `latest` speaks for all."""

    latest: SentAlert
    to: tuple[str, ...]  # the first few, a stranger's words
    more: int  # how many further ones there are


@pages.get("/outbox")
def outbox() -> str:
    """Show who is told, and what could not be delivered, with each attempt."""
    with parts().session() as session:
        return render_template("web/outbox.html", routes=route_lines(session), stuck=stuck(session))


def told(alerts: Iterable[SentAlert]) -> list[Told]:
    """Join *alerts* that stand side by side and differ in nothing but whom they went to."""
    lines = []
    for _, same in groupby(alerts, key=_words):
        group = list(same)
        addresses = tuple(alert.to for alert in group[:_NAMED])
        lines.append(Told(group[0], addresses, len(group) - len(addresses)))
    return lines


def _words(alert: SentAlert) -> tuple[object, ...]:
    fate = (alert.sent_at is not None, alert.dead_at is not None, alert.error, alert.arrival)
    return (alert.incident, alert.state, alert.subject, alert.kind, *fate)
