"""What Apple publishes about iCloud Mail.

Source: www.apple.com/support/systemstatus/data/system_status_en_US.js, JSON or JSONP. It tells
neither when an event was published nor when it was changed.
"""

from collections.abc import Mapping

from monitor.bounded_http import Json
from monitor.core.advisories import kinds_of
from monitor.core.errors import AgainLaterError
from monitor.core.ports import Advisory, Published, Validators
from monitor.feeds.conditional import ConditionalPage, json_of
from monitor.feeds.fields import as_published, epoch, own_id, rows, text
from monitor.feeds.plain_text import plain_text

URL = "https://www.apple.com/support/systemstatus/data/system_status_en_US.js"
MAX_EVENTS = 200
_NAME = "Apple's status"
_MAIL = "icloud mail"
_OVER = {"resolved", "completed"}


class AppleStatusFeed:
    """A `StatusFeed` (see core/ports.py) over Apple's system status."""

    name = "apple"

    def __init__(self, url: str = URL, *, timeout_s: float = 30.0) -> None:
        self._page = ConditionalPage(_NAME, url, timeout_s)

    def ask(self, known: Validators) -> Published:
        """As `StatusFeed`. A page that does not name iCloud Mail tells nothing about it."""
        return self._page.ask(known, _read)


def _read(body: bytes) -> list[Advisory | None]:
    whole = json_of(_NAME, body)
    services = rows(whole.get("services")) if isinstance(whole, dict) else []
    mail = [s for s in services if text(s, "serviceName").lower() == _MAIL]
    if not mail:
        raise AgainLaterError(f"{_NAME} does not name iCloud Mail.")
    events = [event for service in mail for event in rows(service.get("events"))]
    return [_advisory(event) for event in events[:MAX_EVENTS]]


def _advisory(event: Mapping[str, Json]) -> Advisory | None:
    number = event.get("messageId")
    given = str(number) if isinstance(number, int | str) else ""
    kind, status = text(event, "statusType"), text(event, "eventStatus").lower()
    if not given or kind.lower() == "maintenance" or status == "upcoming":
        return None
    story = plain_text(text(event, "message"), limit=20_000)
    whom = plain_text(text(event, "usersAffected"), limit=300)
    ended = epoch(event.get("epochEndDate"))
    return Advisory(
        id=own_id("apple", given),
        provider="icloud",
        title=f"iCloud Mail: {kind or 'trouble'}"[:300],
        text="\n".join(part for part in (story, whom) if part),
        started_at=epoch(event.get("epochStartDate")),
        ended_at=ended,
        published_at=None,
        updated_at=None,
        is_resolved=status in _OVER or ended is not None,
        url="https://www.apple.com/support/systemstatus/",
        kinds=kinds_of(story),
        raw=as_published(event),
    )
