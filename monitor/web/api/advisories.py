"""Advisories: what providers say of themselves, and what a person heard of them."""

import json
from datetime import datetime, timedelta

from flask import Response

from monitor.core.advisories import Story
from monitor.core.scopes import Scope
from monitor.store import advisories as rows
from monitor.web.api.answers import answer
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


def _as_json(story: Story) -> dict[str, object]:
    """With times as text."""
    told: dict[str, object] = json.loads(json.dumps(rows.as_json(story), default=_iso))
    return told


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
