"""What providers admit: the list, and a form for an advisory that no feed of ours tells of."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from sqlmodel import Session
from werkzeug.wrappers import Response as AnyResponse

from monitor.core.advisories import Story, lead_sentence
from monitor.core.entered import FIELDS, entered
from monitor.core.errors import BadInputError
from monitor.store import admissions
from monitor.store import advisories as rows
from monitor.web.parts import parts

pages = Blueprint("advisories", __name__, url_prefix="/advisories")

SINCE = timedelta(days=90)
_MOST = 100


@pages.get("")
def index() -> Response:
    """List what was published in ninety days, the latest first, and who was first."""
    return _page(dict.fromkeys(FIELDS, ""))


@pages.post("")
def add() -> AnyResponse:
    """Keep what a person read, in a tenant's own portal for instance."""
    _need_own_page()
    fields = {name: request.form.get(name, "").strip() for name in FIELDS}
    now = parts().clock.now()
    try:
        advisory = entered(fields, now=now)
        if advisory.provider not in parts().facts:
            known = ", ".join(sorted(parts().facts))
            raise BadInputError("provider", advisory.provider, "is not known", remedy=known)
    except BadInputError as error:
        return _page(fields, error)
    with parts().session() as session:
        rows.enter(session, advisory, now=now)
        admissions.tell(session, now=now)
        session.commit()
    return redirect(url_for("advisories.index"), HTTPStatus.SEE_OTHER)


def _need_own_page() -> None:
    """Refuse a form that another site posts for its visitor.

    Browsers say whose page posts (W3C Fetch Metadata); the older ones of them name its origin.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = urlsplit(request.headers.get("Origin", "")).netloc
    if site != "same-origin" and (site is not None or origin != request.host):
        abort(HTTPStatus.FORBIDDEN)


def _page(fields: Mapping[str, str], error: BadInputError | None = None) -> Response:
    with parts().session() as session:
        found = rows.stories(session, since=parts().clock.now() - SINCE)
        found.sort(key=lambda story: story.published_at, reverse=True)
        lines = [(story, _incidents(session, story)) for story in found[:_MOST]]
    html = render_template(
        "web/advisories.html",
        lines=lines,
        fields=fields,
        error=error,
        providers=sorted((f.name, key) for key, f in parts().facts.items()),
    )
    return Response(html, HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK)


def _incidents(session: Session, story: Story) -> list[tuple[str, str]]:
    """The incidents that *story* tells of, and who was first, in words."""
    name = parts().provider_name(story.provider)
    return [
        (row.incident, lead_sentence(story, timedelta(seconds=row.lead_s), name))
        for row in rows.matches_of(session, advisory=story.id)
    ]
