"""Pages of the links in mail: acknowledge, snooze, confirm, unsubscribe.

Mail scanners and browsers open links by themselves: whatever is asked for by GET or HEAD shows
a form and changes nothing. The form posts to the same address; the signed token in it says who
may do what, so that there is neither a session nor a CSRF token.
"""

from http import HTTPStatus

from flask import Blueprint, Response, abort, render_template, request
from sqlmodel import Session

from monitor.core.errors import PersonNeededError
from monitor.signed_links import BadLinkError, Purpose, Subject
from monitor.store.agreement import linked, stop_digests
from monitor.store.route_tables import RouteRow
from monitor.web.link_acts import ACTS
from monitor.web.link_words import Told, gone, not_possible
from monitor.web.parts import parts

pages = Blueprint("links", __name__, url_prefix="/l")


@pages.get("/<purpose>/<token>")
def ask(purpose: str, token: str) -> Response:
    """Say what the link does, with a form that does it."""
    act, subject = _read(purpose, token)
    with parts().session() as session:
        return _page(ACTS[act].ask(session, _route(session, act, subject), subject.about))


@pages.post("/<purpose>/<token>")
def do(purpose: str, token: str) -> Response:
    """Do it, once or again, and say so."""
    act, subject = _read(purpose, token)
    with parts().session() as session:
        route = _route(session, act, subject)
        if act is Purpose.UNSUBSCRIBE and _is_one_click():
            stop_digests(session, route, now=parts().clock.now())
            session.commit()
            return Response("No more summaries will be sent.\n", mimetype="text/plain")
        told = ACTS[act].do(session, route, subject.about)
        session.commit()
    return _page(told)


@pages.errorhandler(PersonNeededError)
def _refused(error: PersonNeededError) -> Response:
    """Say what to do about a link that is too old, cut off, or of a route that is gone."""
    is_over = not isinstance(error, BadLinkError)
    return _page(not_possible(error), HTTPStatus.GONE if is_over else HTTPStatus.NOT_FOUND)


@pages.after_request
def _keep_nowhere(response: Response) -> Response:
    """The address of such a page is a permission: no cache and no search engine keeps it."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _read(purpose: str, token: str) -> tuple[Purpose, Subject]:
    links = parts().links
    if links is None or purpose not in set(Purpose):
        abort(HTTPStatus.NOT_FOUND)
    return Purpose(purpose), links.read(Purpose(purpose), token)


def _route(session: Session, act: Purpose, subject: Subject) -> RouteRow:
    """The route that the link was sent to, if it is still the same one."""
    route = linked(session, subject.route_id)
    is_by_address = act in {Purpose.CONFIRM, Purpose.UNSUBSCRIBE}
    if route is None or (is_by_address and route.address != subject.about):
        raise gone()
    return route


def _is_one_click() -> bool:
    """Does a mail client unsubscribe by itself? RFC 8058, section 3.1."""
    return request.form.get("List-Unsubscribe") == "One-Click"


def _page(told: Told, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(render_template("web/link.html", told=told), status)
