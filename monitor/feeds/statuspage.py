"""What a service publishes on a status page made with Atlassian Statuspage.

Source: the page's own /api: incidents.json of version 2, the last 50. Pages of sending services
often tell of a mailbox provider's trouble, so what counts is whom the title names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.bounded_http import Json
from monitor.core.advisories import kinds_of, provider_named
from monitor.core.errors import AgainLaterError
from monitor.core.ports import Advisory, Published, Validators
from monitor.feeds.conditional import ConditionalPage, json_of
from monitor.feeds.fields import as_published, moment, own_id, rows, text
from monitor.feeds.plain_text import plain_text

MAX_INCIDENTS = 500
MAX_UPDATES = 50
MAX_TEXT = 20_000
_OVER = {"resolved", "postmortem", "completed"}


@dataclass(frozen=True, slots=True)
class StatuspageFeed:
    """A `StatusFeed` (see core/ports.py) over one page.

    Args:
        page: its id here, as "acme"; ids of its advisories begin with it.
        url: of the page, without /api.
        provider: whom its incidents are about that name nobody else: a provider or an ESP.
    """

    page: str
    url: str
    provider: str
    timeout_s: float = 30.0

    @property
    def name(self) -> str:
        return f"statuspage:{self.page}"

    def ask(self, known: Validators) -> Published:
        address = f"{self.url.rstrip('/')}/api/v2/incidents.json"
        return ConditionalPage(self._called, address, self.timeout_s).ask(known, self._read)

    @property
    def _called(self) -> str:
        return f"the status page {self.page}"

    def _read(self, body: bytes) -> list[Advisory | None]:
        whole = json_of(self._called, body)
        incidents = whole.get("incidents") if isinstance(whole, dict) else None
        if not isinstance(incidents, list):  # some pages imitate Statuspage without its incidents
            raise AgainLaterError(f"{self._called} has no list of incidents.")
        return [self._advisory(row) for row in rows(incidents[:MAX_INCIDENTS])]

    def _advisory(self, row: Mapping[str, Json]) -> Advisory | None:
        id_ = own_id(self.page, text(row, "id"))
        created = moment(row.get("created_at"))
        updated = moment(row.get("updated_at")) or created
        if not id_ or updated is None:
            return None
        title = plain_text(text(row, "name"), limit=300)
        story = _story(row)
        ended = moment(row.get("resolved_at"))
        return Advisory(
            id=id_,
            provider=provider_named(title) or self.provider,
            title=title,
            text=story,
            started_at=moment(row.get("started_at")) or created,
            ended_at=ended,
            published_at=created,
            updated_at=updated,
            is_resolved=ended is not None or text(row, "status").lower() in _OVER,
            url=_address(text(row, "shortlink")),
            kinds=kinds_of(f"{title}\n{story}"),
            raw=as_published(row),
        )


def _story(row: Mapping[str, Json]) -> str:
    """What the updates say, the newest first, as the page lists them."""
    updates = rows(row.get("incident_updates"))[:MAX_UPDATES]
    said = [plain_text(text(update, "body"), limit=MAX_TEXT) for update in updates]
    return "\n\n".join(one for one in said if one)[:MAX_TEXT]


def _address(url: str) -> str:
    return url[:500] if url.startswith("https://") and url.isascii() and url.isprintable() else ""
