"""Tests: the list, and one test with the story of every copy."""

from flask import Blueprint, abort, render_template, request

from monitor.store import pages as counted
from monitor.store import pages_tests
from monitor.store.pages_incidents import relevant
from monitor.store.pages_seeds import of_test
from monitor.web.evidence import findings
from monitor.web.outcome import outcome
from monitor.web.parts import parts
from monitor.web.shares import test_views
from monitor.web.timeline import timeline

pages = Blueprint("tests", __name__, url_prefix="/tests")

_LINES = 25
_COPIES = 20
_LINKS = 60


@pages.get("")
def index() -> str:
    """List all tests, newest first."""
    before = _bounded("before")
    with parts().session() as session:
        tests = counted.newest_tests(session, limit=_LINES + 1, before=before)
    return render_template(
        "web/tests.html", tests=tests[:_LINES], has_more=len(tests) > _LINES, before=before
    )


@pages.get("/<uid>")
def one(uid: str) -> str:
    """Show one test: providers first and now, and every copy with its timeline."""
    provider = request.args.get("provider") or None
    page = max(1, min(_bounded("page") or 1, 10_000))
    with parts().session() as session:
        head = pages_tests.head(session, uid)
        if head is None:
            abort(404)
        clusters = counted.clusters_of(session, head.id)
        copies = pages_tests.copies(
            session, head.id, provider=provider, offset=(page - 1) * _COPIES, limit=_COPIES
        )
        links = pages_tests.links(session, head.id, limit=_LINKS)
        seeds = of_test(session, head.id)
        incidents = [i for i in relevant(session, since=head.created_at) if uid in i.latest.tests]
    total = sum(c.copies for c in clusters if provider in {None, c.provider})
    views = test_views(clusters, parts().provider_name)
    return render_template(
        "web/test.html",
        head=head,
        views=views,
        outcome=outcome(views),
        copies=copies,
        timeline=timeline,
        findings=findings,
        links=links,
        incidents=incidents,
        seeds=seeds,
        failing=[seed for seed in seeds if seed.is_failing],
        provider=provider,
        page=page,
        last_page=max(1, -(-total // _COPIES)),
        total=total,
    )


def _bounded(name: str) -> int | None:
    """A number from the address, small enough for every database; None if there is none."""
    number = request.args.get(name, type=int)
    return None if number is None else max(0, min(number, 2**31 - 1))
