"""On which occasion an incident is told, and to whom: what an alert says besides the event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.core.exposure import Share
from monitor.core.incidents import Direction, IncidentEvent
from monitor.core.routes import Audience, Severity
from monitor.core.seeds import ProviderFacts


@dataclass(frozen=True, slots=True)
class Office:
    """What all mail of an installation has in common.

    `base_url` is where the dashboard is reached; without it there are no links to it.
    Templates in `templates_dir` come before ours.
    """

    facts: Mapping[str, ProviderFacts] = field(default_factory=dict)
    base_url: str = ""
    templates_dir: Path | None = None

    @property
    def names(self) -> dict[str, str]:
        """What people call the providers, by id."""
        return {provider: known.name for provider, known in self.facts.items()}

    def page(self, path: str) -> str:
        return f"{self.base_url.rstrip('/')}/{path}" if self.base_url else ""


@dataclass(frozen=True, slots=True)
class Links:
    """Signed links of this one alert; "" where there is none."""

    acknowledge: str = ""
    snooze: str = ""
    unsubscribe: str = ""


@dataclass(frozen=True, slots=True)
class Occasion:
    """For whom an event is told.

    `body` is what was known when the alert was owed (`AlertRow.body`, docs/warn.md): "news"
    (what is new, core/news.py), "before" (the reader's mail is not hit yet), "exposure" (how
    much of the audience is at that provider), "tests" (the reader's own that are affected),
    "acknowledged" (by whom), "lead" (who was first, we or the provider, in words). Whatever
    of it is missing is not spoken of. `advice` is for machines (core/advice.py).
    """

    recipient: str
    audience: Audience = Audience.SENDER
    severity: Severity = Severity.WARNING
    body: Mapping[str, Any] = field(default_factory=dict)
    links: Links = field(default=Links())
    advice: Sequence[Mapping[str, object]] = ()

    @property
    def news(self) -> str:
        return str(self.body.get("news") or "")

    @property
    def acknowledged(self) -> Mapping[str, Any]:
        """Who acknowledged the incident, as "by"; empty if nobody has."""
        kept = self.body.get("acknowledged")
        return kept if isinstance(kept, Mapping) else {}

    @property
    def is_before(self) -> bool:
        return bool(self.body.get("before"))


@dataclass(frozen=True, slots=True)
class Exposure:
    """How much of an audience is at a provider.

    `share` is 0 to 1; it may be more, up to `share_at_most`, where the DNS told nothing of
    a part of the audience. `words` is both, for people.
    """

    share: float
    share_at_most: float
    recipients: int
    total: int
    words: str


def exposure(body: Mapping[str, Any]) -> Exposure | None:
    """Read what was kept of the audience; None if nothing is known, which is not 0."""
    kept = body.get("exposure")
    try:
        recipients, total = int(kept["recipients"]), int(kept["total"])  # type: ignore[index]
        unknown = int(kept.get("unknown", 0))  # type: ignore[union-attr]
    except (KeyError, TypeError, ValueError):
        return None
    if not 0 <= recipients <= total or not 0 <= unknown <= total or total == 0:
        return None
    share = Share("", recipients, total, unknown)
    return Exposure(share.low, share.high, recipients, total, share.words)


def own_tests(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Uid and name of each test of the reader's that is affected."""
    kept = body.get("tests")
    rows = kept if isinstance(kept, list) else []
    return [(str(row.get("uid", "")), str(row.get("name", ""))) for row in rows if row]


def is_worth_reporting(event: IncidentEvent) -> bool:
    """Does a provider hold back mail that it should not? Lateness is no false positive."""
    is_loss = event.direction is Direction.WORSE and event.gauge is None
    return event.cause.blames_provider and is_loss
