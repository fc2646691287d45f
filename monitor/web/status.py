"""The public status of providers' filters: a page, JSON and an Atom feed. It names no sender."""

import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from xml.etree import ElementTree as ET

from flask import Blueprint, Response, abort, render_template

from monitor.core.filter_states import FEWEST_SENDERS
from monitor.store import filter_states
from monitor.web.filters import clean
from monitor.web.parts import parts
from monitor.web.status_view import (
    DAYS,
    Change,
    FilterView,
    filter_view,
    latest_changes,
    worst_first,
)

pages = Blueprint("status", __name__)

_ATOM = "http://www.w3.org/2005/Atom"
_ENTRIES = 50
_SHOWN = 12
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_CACHED = "public, max-age=60"


@pages.before_request
def _only_if_public() -> None:
    if not parts().status_url:
        abort(HTTPStatus.NOT_FOUND)


@pages.after_request
def _may_be_cached(response: Response) -> Response:
    if response.status_code == HTTPStatus.OK:
        response.headers["Cache-Control"] = _CACHED
    return response


@pages.get("/status")
def page() -> str:
    """Show each provider's filter, its figures, and its last 90 days."""
    views = _views()
    return render_template(
        "web/status.html",
        views=views,
        changes=latest_changes(views, _SHOWN),
        published_at=_published_at(views),
        fewest=FEWEST_SENDERS,
        day_count=DAYS,
    )


@pages.get("/status.json")
def document() -> Response:
    """The same for machines. Rates run from 0 to 1; what is not known is null, never 0."""
    views = _views()
    published_at = _published_at(views)
    told = {
        "meta": {
            "published_at": _stamp(published_at) if published_at else None,
            "fewest_senders": FEWEST_SENDERS,
            "days": DAYS,
        },
        "results": [_result(view) for view in views],
    }
    return Response(json.dumps(told) + "\n", mimetype="application/json")


@pages.get("/status.atom")
def feed() -> Response:
    """The changes, newest first: RFC 4287."""
    views = _views()
    base, changes = parts().status_url, latest_changes(views, _ENTRIES)
    root = ET.Element("feed", xmlns=_ATOM)
    _add(root, "id", f"{base}/status.atom")
    _add(root, "title", "Mail filters of providers")
    _add(root, "updated", _stamp(changes[0].at if changes else _NEVER))
    ET.SubElement(root, "link", rel="self", href=f"{base}/status.atom")
    ET.SubElement(root, "link", rel="alternate", type="text/html", href=f"{base}/status")
    _add(ET.SubElement(root, "author"), "name", "Seedwatch")
    for change in changes:
        _add_entry(root, change, f"{base}/status")
    text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(text, mimetype="application/atom+xml")


def _views() -> list[FilterView]:
    now = parts().clock.now()
    with parts().session() as session:
        told = filter_states.history(session, since=now - timedelta(days=DAYS))
        found = [filter_view(p, parts().provider_name(p), rows, now) for p, rows in told.items()]
    return worst_first(found)


def _published_at(views: list[FilterView]) -> datetime | None:
    return max((view.row.at for view in views if view.row), default=None)


def _result(view: FilterView) -> dict[str, object]:
    row, block = view.row, view.block
    figures = row if row and block else None
    return {
        "provider": view.provider,
        "name": view.name,
        "state": view.state,
        "since": _stamp(view.since) if view.since else None,
        "sentence": view.sentence,
        "sent_from": _stamp(block[0]) if block else None,
        "sent_until": _stamp(block[1]) if block else None,
        "senders": figures.senders if figures else None,
        "n": figures.n if figures else None,
        "n_eff": round(figures.n_eff, 2) if figures else None,
        "lost": _rounded(figures.lost if figures else None),
        "ci_low": _rounded(figures.low if figures else None),
        "ci_high": _rounded(figures.high if figures else None),
        "history": [{"day": day.day.isoformat(), "state": day.state} for day in view.days],
    }


def _add_entry(root: ET.Element, change: Change, page_url: str) -> None:
    entry = ET.SubElement(root, "entry")
    _add(entry, "id", change.id)
    _add(entry, "title", f"{clean(change.name, 60)}: {change.word}")
    _add(entry, "updated", _stamp(change.at))
    _add(entry, "summary", clean(change.sentence, 500))
    ET.SubElement(entry, "link", rel="alternate", type="text/html", href=page_url)


def _add(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _stamp(at: datetime) -> str:
    return f"{at.isoformat(timespec='seconds').removesuffix('+00:00')}Z"
