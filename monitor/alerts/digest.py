"""Write the digest: how mail fared at each provider, and what is or was wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.alerts import chart, words
from monitor.alerts.filled import filled
from monitor.alerts.occasion import Office
from monitor.core.incidents import State
from monitor.core.ports import Image, Message
from monitor.core.routes import Severity

CHART = "chart"
MAX_INCIDENTS = 20
_STATES: Mapping[str, str] = {
    State.CONFIRMED: "going on",
    State.RECOVERING: "recovering",
    State.CLOSED: "over",
}


@dataclass(frozen=True, slots=True)
class DigestRow:
    """How mail fared at one provider. Shares are 0 to 1; `before` is None without data then."""

    name: str
    n: int
    arrived: int
    share: float
    low: float
    high: float
    n_eff: float
    before: float | None
    before_n: int

    @property
    def change(self) -> str:
        """In words, against the period before; a change within the interval is none."""
        if self.before is None:
            return "no data before"
        if self.low <= self.before <= self.high:
            return "about as before"
        points = abs(round(100 * (self.share - self.before)))
        return f"{'up' if self.share > self.before else 'down'} {points} points"


@dataclass(frozen=True, slots=True)
class DigestIncident:
    """One incident that concerned the reader's mail."""

    sentence: str
    state: str
    page: str


@dataclass(frozen=True, slots=True)
class DigestView:
    """All that the templates of a digest may name."""

    lead: str
    span: str
    rows: Sequence[DigestRow]
    incidents: Sequence[DigestIncident]
    chart: str  # name of the picture; "" if there is none
    told: str  # what the picture shows, in words
    page: str
    leave: str
    recipient: str


def render(body: Mapping[str, Any], *, recipient: str, leave: str, office: Office) -> Message:
    """Return the digest.

    Args:
        body: what was counted when it was owed (store/digests.py).
        leave: a signed link that ends digests for this route.
    """
    view, png = _view(body, recipient, leave, office)
    letter = filled("digest", {"view": view, "severity": "info"}, office.templates_dir)
    return Message(
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        short="\n".join(filter(None, (view.lead, view.page))),
        payload=json.loads(json.dumps(dict(body))),
        event="digest",
        severity=Severity.INFO,
        images=(Image(CHART, png),) if png else (),
        unsubscribe_url=leave,
    )


def _view(
    body: Mapping[str, Any], recipient: str, leave: str, office: Office
) -> tuple[DigestView, bytes]:
    rows = [_row(one, office) for one in body.get("providers", ())]
    days = [chart.Day(one["day"], one["n"], one["arrived"]) for one in body.get("days", ())]
    png = chart.drawn(days) if rows else b""
    view = DigestView(
        lead=_lead(rows),
        span=f"{_moment(body['from'])} to {_moment(body['until'])}",
        rows=rows,
        incidents=[_incident(one, office) for one in body.get("incidents", ())][:MAX_INCIDENTS],
        chart=CHART if png else "",
        told=chart.told(days),
        page=office.page(""),
        leave=leave,
        recipient=words.plain(recipient),
    )
    return view, png


def _lead(rows: Sequence[DigestRow]) -> str:
    n = sum(row.n for row in rows)
    if n == 0:
        return "Nothing was measured: no copy of a test was sent and looked for in this time."
    arrived = sum(row.arrived for row in rows)
    places = f"{len(rows)} provider{'' if len(rows) == 1 else 's'}"
    share = f"{100 * arrived / n:.0f} %"
    return f"{share} of your test mail reached the inbox ({arrived} of {n} copies, {places})."


def _row(one: Mapping[str, Any], office: Office) -> DigestRow:
    before_n = int(one.get("before_n") or 0)
    return DigestRow(
        name=words.plain(office.names.get(one["provider"], one["provider"])),
        n=one["n"],
        arrived=one["arrived"],
        share=one["arrived"] / one["n"],
        low=one["low"],
        high=one["high"],
        n_eff=one["n_eff"],
        before=one["before_arrived"] / before_n if before_n else None,
        before_n=before_n,
    )


def _incident(one: Mapping[str, Any], office: Office) -> DigestIncident:
    said = words.guard(words.plain(str(one.get("sentence", "")), 600), one.get("feature"))
    state = _STATES.get(str(one.get("state")), "suspected")
    return DigestIncident(said, state, office.page(f"incidents/{words.path(one['incident'])}"))


def _moment(written: str) -> str:
    return words.moment(datetime.fromisoformat(written))
