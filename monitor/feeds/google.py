"""What Google publishes about Gmail and Workspace.

Source: www.google.com/appsstatus/dashboard/incidents.json and its incidents.schema.json.
`severity` and `status_impact` are the worst that an incident was; how it stands is told by
`end` and by the newest update.
"""

from collections.abc import Mapping

from monitor.bounded_http import Json
from monitor.core.advisories import kinds_of
from monitor.core.errors import AgainLaterError
from monitor.core.ports import Advisory, Published, Validators
from monitor.feeds.conditional import ConditionalPage, json_of
from monitor.feeds.fields import as_published, moment, own_id, rows, text
from monitor.feeds.plain_text import plain_text

URL = "https://www.google.com/appsstatus/dashboard/incidents.json"
MAX_INCIDENTS = 2_000
MAX_UPDATES = 50
MAX_TEXT = 20_000
_NAME = "Google's status"
_GMAIL = "prPt2Yra2CbGsbEm9cpC"  # the product's id there
_SITE = "https://www.google.com/appsstatus/dashboard/"


class GoogleStatusFeed:
    """A `StatusFeed` (see core/ports.py) over Google Workspace's status dashboard."""

    name = "google"

    def __init__(self, url: str = URL, *, timeout_s: float = 30.0) -> None:
        self._page = ConditionalPage(_NAME, url, timeout_s)

    def ask(self, known: Validators) -> Published:
        return self._page.ask(known, _read)


def _read(body: bytes) -> list[Advisory | None]:
    incidents = json_of(_NAME, body)
    if not isinstance(incidents, list):
        raise AgainLaterError(f"{_NAME} is no list of incidents.")
    return [_advisory(row) for row in rows(incidents[:MAX_INCIDENTS]) if _is_about_mail(row)]


def _is_about_mail(row: Mapping[str, Json]) -> bool:
    products = rows(row.get("affected_products"))
    ids = {text(row, "service_key"), *(text(product, "id") for product in products)}
    names = {text(row, "service_name"), *(text(product, "title") for product in products)}
    return _GMAIL in ids or any("gmail" in name.lower() for name in names)


def _advisory(row: Mapping[str, Json]) -> Advisory | None:
    id_ = own_id("google", text(row, "id"))
    begin, end = moment(row.get("begin")), moment(row.get("end"))
    updated = moment(row.get("modified")) or moment(row.get("created")) or begin
    if not id_ or updated is None:
        return None
    first, _, rest = text(row, "external_desc").partition("\n")  # Markdown, so lines count
    title, rest = plain_text(first, limit=300), plain_text(rest, limit=MAX_TEXT)
    story = "\n\n".join(part for part in (rest, *_updates(row)) if part)[:MAX_TEXT]
    latest = row.get("most_recent_update")
    status = text(latest, "status") if isinstance(latest, dict) else ""
    return Advisory(
        id=id_,
        provider="gmail",
        title=title,
        text=story,
        started_at=begin,
        ended_at=end,
        published_at=moment(row.get("created")),
        updated_at=updated,
        is_resolved=end is not None or status.upper() == "AVAILABLE",
        url=_address(text(row, "uri")),
        kinds=kinds_of(f"{title}\n{story}"),
        raw=as_published(row),
    )


def _updates(row: Mapping[str, Json]) -> list[str]:
    """The text of each update, the newest first."""
    told = [(moment(u.get("created")), text(u, "text")) for u in rows(row.get("updates"))]
    dated = [(at, said) for at, said in told if at is not None][:MAX_UPDATES]
    dated.sort(key=lambda one: one[0], reverse=True)
    return [plain_text(said, limit=MAX_TEXT) for _, said in dated]


def _address(path: str) -> str:
    is_plain = path.startswith("incidents/") and path.isascii() and path.isprintable()
    return f"{_SITE}{path}"[:500] if is_plain else ""
