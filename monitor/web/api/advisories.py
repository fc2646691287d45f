"""Advisories: what providers say of themselves, and what a person heard of them."""

import json
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from flask import Response

from monitor.core.advisories import Story, kinds_of
from monitor.core.ports import Advisory
from monitor.core.scopes import Scope
from monitor.store import admissions
from monitor.store import advisories as rows
from monitor.web.api.answers import answer, bad, body
from monitor.web.api.door import api, needs
from monitor.web.parts import parts

SINCE = timedelta(days=30)
MOST = 100  # advisories of one answer
MAX_TITLE = 500  # characters
MAX_TEXT = 20_000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_FIELDS = frozenset({"id", "provider", "title", "text", "started_at", "url"})


@api.get("/advisories")
@needs(Scope.ADVISORIES_READ)
def advisories() -> Response:
    """Return the advisories that changed in the last thirty days, the latest first."""
    with parts().session() as session:
        found = rows.stories(session, since=parts().clock.now() - SINCE)
    found.sort(key=lambda story: story.updated_at, reverse=True)
    return answer(
        {
            "advisories": [_as_json(story) for story in found[:MOST]],
            "left_out": max(0, len(found) - MOST),
        }
    )


@api.post("/advisories")
@needs(Scope.ADVISORIES_WRITE)
def add() -> Response:
    """Keep an advisory that a person read where we cannot: in a tenant's own portal.

    What one organisation enters, the judge believes for all: a scope of its own lets in.
    """
    told = body(_FIELDS)
    now = parts().clock.now()
    text = {key: _text(told, key) for key in _FIELDS}
    if not _ID.fullmatch(text["id"]):
        raise bad("bad_id", 'Give "id" as the provider writes it, as MO255463.')
    if text["provider"] not in parts().facts:
        raise bad("unknown_provider", f"There is no provider {text['provider'][:64]!r}.")
    started = _moment(text["started_at"]) if text["started_at"] else None
    advisory = Advisory(
        id=text["id"],
        provider=text["provider"],
        title=text["title"],
        text=text["text"],
        started_at=started,
        ended_at=None,
        published_at=None,
        updated_at=None,
        is_resolved=False,
        url=text["url"],
        kinds=kinds_of(f"{text['title']}\n{text['text']}"),
    )
    with parts().session() as session:
        is_new = rows.enter(session, advisory, now=now)
        admissions.tell(session, now=now)
        session.commit()
        found = rows.one(session, advisory.id)
    story = {"advisory": _as_json(found[0]) if found else None}
    return answer(story | {"new": is_new}, HTTPStatus.CREATED if is_new else HTTPStatus.OK)


def _text(told: dict[str, object], key: str) -> str:
    value = told.get(key, "")
    most = MAX_TEXT if key == "text" else MAX_TITLE
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise bad("bad_field", f"{key!r} is no text of at most {most} characters.")
    if key == "url" and value and not re.match(r"https?://[^\s/]", value):
        raise bad("bad_field", "'url' is no address that begins with https://.")
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1990 < moment.year < 2200:
        raise bad("bad_field", "'started_at' is no time with a zone, as 2026-03-02T08:00:00Z.")
    return moment.astimezone(UTC)


def _as_json(story: Story) -> dict[str, object]:
    """With times as text."""
    told: dict[str, object] = json.loads(json.dumps(rows.as_json(story), default=_iso))
    return told


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
