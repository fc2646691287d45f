"""GET /v1.0/admin/serviceAnnouncement/issues: what the provider admits, and when.

An advisory is dated back to its onset, as in life; it appears only once it is published.
"""

from datetime import datetime

from monitor.lab.httpd import Request
from monitor.lab.pages import check_options, page, utc, whole
from monitor.lab.providers import PROFILES
from monitor.lab.rules import Action, Rule
from monitor.lab.world import World

DEFAULT_PAGE = 100
MAX_PAGE = 1000
PREFERENCE = "odata.maxpagesize="


def issues(world: World, request: Request) -> dict[str, object]:
    check_options(request, {"$skiptoken", "$top"})
    size = _page_size(request)
    rows = [_issue(world, rule) for rule in _published(world)]
    return page(rows, request, base=world.api_url, size=size)


def _page_size(request: Request) -> int:
    wished = request.headers.get("prefer", "")
    if wished.lower().startswith(PREFERENCE):
        return whole(wished[len(PREFERENCE) :], low=1, high=MAX_PAGE, what="page size")
    top = request.query.get("$top", str(DEFAULT_PAGE))
    return whole(top, low=1, high=MAX_PAGE, what="$top")


def _published(world: World) -> list[Rule]:
    elapsed = world.elapsed()
    return [
        r
        for r in world.scenario.rules
        if r.action is Action.ADVISORY
        and r.holds(PROFILES["microsoft365"].id, r.starts)
        and r.starts + r.published_after <= elapsed
    ]


def _issue(world: World, rule: Rule) -> dict[str, object]:
    started = world.started_at + rule.starts
    published = started + rule.published_after
    resolved = None if rule.resolved_after is None else started + rule.resolved_after
    is_resolved = resolved is not None and resolved <= world.now()
    modified = resolved if is_resolved and resolved is not None else published
    return {
        "id": rule.id,
        "title": rule.title,
        "impactDescription": rule.title,
        "classification": "advisory",
        "origin": "microsoft",
        "status": "serviceRestored" if is_resolved else "serviceDegradation",
        "service": "Exchange Online",
        "feature": "E-Mail timely delivery",
        "featureGroup": "E-Mail and calendar access",
        "isResolved": is_resolved,
        "highImpact": None,
        "startDateTime": utc(started),
        "endDateTime": utc(modified) if is_resolved else None,
        "lastModifiedDateTime": utc(modified),
        "details": [],
        "posts": [_post(published, rule.text)]
        + ([_post(modified, "Final status: resolved.")] if is_resolved else []),
    }


def _post(at: datetime, text: str) -> dict[str, object]:
    return {
        "createdDateTime": utc(at),
        "postType": "regular",
        "description": {"contentType": "html", "content": text},
    }
