"""Exposure: how much of the caller's list each provider receives."""

import threading
from http import HTTPStatus

from flask import Response, request
from sqlmodel import Session

from monitor.core.audience_file import checked_counts
from monitor.core.crossing import crossed
from monitor.core.errors import BadInputError, NotFoundError
from monitor.core.exposure import exposure
from monitor.core.scopes import Scope
from monitor.store import audiences, own_incidents
from monitor.store.pages_incidents import relevant
from monitor.web.api.answers import ApiError, answer, bad, body, missing
from monitor.web.api.door import MOST_OPEN, api, holder, needs
from monitor.web.parts import parts

MAX_DOMAINS = 10_000  # of one request
AT_ONCE = 2  # requests that ask the DNS: the others' pages must not wait
_ASKING = threading.BoundedSemaphore(AT_ONCE)


@api.post("/exposure")
@needs(Scope.EXPOSURE_WRITE)
def measure() -> Response:
    """Count recipients by provider, keep that, and say what is wrong there now.

    Domains without an answer within some seconds are "unknown". Answers are remembered: the
    same request, sent again, asks for the rest only.
    """
    told = body({"domains", "sender"})
    counts = told.get("domains")
    if not isinstance(counts, dict):
        raise bad("no_domains", 'Give "domains": an object of domain to number of recipients.')
    if len(counts) > MAX_DOMAINS:
        raise bad("too_many_domains", f"A request may have {MAX_DOMAINS} domains.")
    try:
        audience = checked_counts(counts)
    except BadInputError as error:
        raise bad("bad_domains", str(error)) from error
    with parts().session() as session:
        whose = _sender(session, told.get("sender", ""))
        found = exposure(audience.domains, _providers([*audience.domains]))
        now = parts().clock.now()
        audiences.keep(session, holder().organisation_id, whose, found, now=now)
        session.commit()
        return _answer(session, whose)


@api.get("/exposure")
@needs(Scope.EXPOSURE_READ)
def known() -> Response:
    """Return what was found the last time, and what is wrong there now."""
    with parts().session() as session:
        return _answer(session, _sender(session, request.args.get("sender", "")))


def _providers(domains: list[str]) -> dict[str, str]:
    ask = parts().providers_of
    if ask is None:
        detail = "This installation does not ask the DNS."
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "no_dns", detail)
    if not _ASKING.acquire(blocking=False):
        detail = "Others are being counted. Try again in some seconds."
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, {"Retry-After": "10"})
    try:
        return dict(ask(domains))
    finally:
        _ASKING.release()


def _sender(session: Session, domain: object) -> int | None:
    if not domain:
        return None
    try:
        return audiences.sender_of(session, holder().organisation_id, str(domain)[:253])
    except NotFoundError as error:
        raise missing("no_such_sender", str(error)) from error


def _answer(session: Session, whose: int | None) -> Response:
    owner = holder().organisation_id
    audience = audiences.find(session, owner, whose)
    if audience is None:
        raise missing("not_measured", "This list was never counted. POST its domains first.")
    asked_at = parts().clock.now()
    mine = own_incidents.own(session, owner, now=asked_at)
    now_open = relevant(session, since=asked_at, limit=MOST_OPEN)
    names = {provider: facts.name for provider, facts in parts().facts.items()}
    now = crossed(audience.exposure, own_incidents.seen(now_open, mine), names)
    measured = {"measured_at": audience.measured_at.isoformat()}
    return answer(measured | audience.exposure.as_json() | {"now": now})
