"""An advisory that a person enters: a tenant without rights to the feed still knows its id."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from monitor.core.advisories import kinds_of
from monitor.core.errors import BadInputError
from monitor.core.ports import Advisory

FIELDS = ("id", "provider", "title", "text", "started", "ended", "published", "url")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_MICROSOFT = re.compile(r"(?:EX|MO|DZ)\d{4,9}")
_LONGEST = {"title": 300, "text": 20_000, "url": 500}


def entered(fields: Mapping[str, str], *, now: datetime) -> Advisory:
    """Return the advisory of *fields*, of which only the id must be there.

    Microsoft's ids tell that they are Microsoft 365's. An end makes it resolved.

    Raises:
        BadInputError: a field that cannot be meant.
    """
    id_ = fields.get("id", "")
    if not _ID.fullmatch(id_):
        raise BadInputError("id", id_, "is no id", remedy="Write it as published: EX1227432.")
    is_microsoft = _MICROSOFT.fullmatch(id_) is not None
    provider = fields.get("provider") or ("microsoft365" if is_microsoft else "")
    if not _PROVIDER.fullmatch(provider):
        remedy = "Name whom it is about: microsoft365, gmail, ..."
        raise BadInputError("provider", provider, "is no provider", remedy=remedy)
    said = {name: _said(fields, name) for name in _LONGEST}
    started, ended, published = (_moment(fields, n, now) for n in ("started", "ended", "published"))
    return Advisory(
        id=id_,
        provider=provider,
        title=said["title"],
        text=said["text"],
        started_at=started,
        ended_at=ended,
        published_at=published,
        updated_at=None,
        is_resolved=ended is not None,
        url=said["url"],
        kinds=kinds_of(f"{said['title']}\n{said['text']}"),
    )


def _said(fields: Mapping[str, str], name: str) -> str:
    text = fields.get(name, "").strip()
    if len(text) > _LONGEST[name] or not text.replace("\n", "").isprintable():
        remedy = f"Write plain text of at most {_LONGEST[name]} characters."
        raise BadInputError(name, text, "cannot be kept", remedy=remedy)
    if name == "url" and text and not text.startswith("https://"):
        raise BadInputError(name, text, "is no address", remedy="Begin it with https://")
    return text


def _moment(fields: Mapping[str, str], name: str, now: datetime) -> datetime | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        at = datetime(1, 1, 1, tzinfo=UTC)
    if at.year < 1990 or at > now:
        remedy = 'Write a time in UTC that is past: "2026-02-05 10:30".'
        raise BadInputError(name, text, "is no time that has been", remedy=remedy)
    return at
