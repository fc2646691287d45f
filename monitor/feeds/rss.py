"""What anybody publishes as RSS or Atom.

Such a feed tells of an entry what it says and when, and nothing of how things stand. That it is
over is read from its words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import struct_time

import feedparser

from monitor.core.advisories import kinds_of, provider_named
from monitor.core.errors import AgainLaterError
from monitor.core.ports import Advisory, Published, Validators
from monitor.feeds.conditional import ConditionalPage
from monitor.feeds.fields import as_published, likely, own_id
from monitor.feeds.plain_text import plain_text

MAX_FEED = 512 * 1024  # bytes: hostile ones cost feedparser time by the square of their length
MAX_ENTRIES = 200
MAX_TEXT = 20_000
_OVER = re.compile(r"(?i)^\W*(?:\[?resolved\b|completed\b|restored\b|closed\b)|\bis now resolved\b")


@dataclass(frozen=True, slots=True)
class RssFeed:
    """A `StatusFeed` (see core/ports.py) over one feed; arguments as of `StatuspageFeed`."""

    page: str
    url: str
    provider: str
    timeout_s: float = 30.0

    @property
    def name(self) -> str:
        return f"rss:{self.page}"

    def ask(self, known: Validators) -> Published:
        return ConditionalPage(self._called, self.url, self.timeout_s).ask(known, self._read)

    @property
    def _called(self) -> str:
        return f"the feed {self.page}"

    def _read(self, body: bytes) -> list[Advisory | None]:
        if len(body) > MAX_FEED:
            raise AgainLaterError(f"{self._called} is too long.")
        read = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
        if not read.get("version"):  # a page in HTML, say
            raise AgainLaterError(f"{self._called} is neither RSS nor Atom.")
        # As plain dictionaries: feedparser's own fill one field from another.
        return [self._advisory(dict(entry)) for entry in read.entries[:MAX_ENTRIES]]

    def _advisory(self, entry: Mapping[str, object]) -> Advisory | None:
        id_ = own_id(self.page, _said(entry, "id") or _said(entry, "link"))
        if not id_:
            return None
        title = plain_text(_said(entry, "title"), limit=300)
        story = plain_text(_said(entry, "summary"), limit=MAX_TEXT)
        published = _moment(entry.get("published_parsed"))
        over = bool(_OVER.search(title) or _OVER.search(story[:300]))
        updated = _moment(entry.get("updated_parsed")) or published
        link = _said(entry, "link")
        return Advisory(
            id=id_,
            provider=provider_named(title) or self.provider,
            title=title,
            text=story,
            started_at=published,
            ended_at=updated if over else None,
            published_at=published,
            updated_at=updated,
            is_resolved=over,
            url=link[:500] if link.startswith("https://") and link.isprintable() else "",
            kinds=kinds_of(f"{title}\n{story}"),
            raw=as_published({k: v for k, v in entry.items() if isinstance(v, str)}),
        )


def _said(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    return value.strip() if isinstance(value, str) else ""


def _moment(parsed: object) -> datetime | None:
    """feedparser gives times in UTC."""
    if not isinstance(parsed, struct_time):
        return None
    try:
        return likely(datetime(*parsed[:6], tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
