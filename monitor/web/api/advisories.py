"""Advisories: what providers say of themselves, and what a person heard of them."""

import json
from datetime import datetime, timedelta
from http import HTTPStatus

from flask import Response

from monitor.core.advisories import Story
from monitor.core.entered import FIELDS, entered
from monitor.core.errors import BadInputError
from monitor.core.scopes import Scope
from monitor.store import admissions
from monitor.store import advisories as rows
from monitor.web.api.answers import answer, bad, body
from monitor.web.api.door import api, needs
from monitor.web.parts import parts

SINCE = timedelta(days=30)
MOST = 100  # advisories of one answer


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
def enter() -> Response:
    """Keep what the caller knows of an advisory; known already, it is no other answer."""
    told = body(set(FIELDS))
    fields = {name: value for name, value in told.items() if isinstance(value, str)}
    if len(fields) < len(told):
        raise bad("bad_advisory", "Every field of an advisory is a text.")
    now = parts().clock.now()
    try:
        advisory = entered(fields, now=now)
    except BadInputError as error:
        raise bad("bad_advisory", str(error)) from error
    with parts().session() as session:
        is_new = rows.enter(session, advisory, now=now)
        admissions.tell(session, now=now)
        known = rows.one(session, advisory.id)
        session.commit()
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return answer(_as_json(known[0]) if known else {}, status)


def _as_json(story: Story) -> dict[str, object]:
    """With times as text."""
    told: dict[str, object] = json.loads(json.dumps(rows.as_json(story), default=_iso))
    return told


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
