"""Microsoft's status feed, from the lab and from servers that answer otherwise."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.clock import ManualClock
from monitor.core.errors import AgainLaterError, PersonNeededError
from monitor.feeds.microsoft import MAX_TEXT, MicrosoftHealthFeed
from monitor.feeds.plain_text import plain_text
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.tenant import TenantAccess

Web = Callable[..., Any]
Answer = Callable[..., bytes]

ISSUES = "GET /v1.0/admin/serviceAnnouncement/issues"
TOKEN = "POST /acme/oauth2"
ADVISORY = """
[[rule]]
action = "advisory"
provider = "microsoft365"
id = "MO255463"
title = "Mail is quarantined"
text = "User Impact: links are blocked"
from = "1h"
published_after = "3h"
resolved_after = "6h"
"""
ISSUE: Mapping[str, object] = {
    "id": "EX1227432",
    "title": "Some mail is quarantined",
    "service": "Exchange Online",
    "status": "serviceDegradation",
    "isResolved": False,
    "startDateTime": "2026-02-05T10:30:00Z",
    "lastModifiedDateTime": "2026-02-06T02:00:00Z",
    "posts": [],
}


@pytest.fixture
def feed_of(web: Web, answer: Answer) -> Callable[..., tuple[MicrosoftHealthFeed, Any]]:
    """Return a feed whose service answers as told, and that service."""

    def start(issues: object, *, timeout_s: float = 5) -> tuple[MicrosoftHealthFeed, Any]:
        ready = issues if isinstance(issues, bytes) or callable(issues) else _json(answer, issues)
        token = _json(answer, {"access_token": "t0ken", "expires_in": 3599})
        server = web({ISSUES: ready, TOKEN: token})
        feed = MicrosoftHealthFeed(
            TenantAccess(
                base_url=server.url,
                login_url=server.url,
                tenant="acme",
                client_id="app",
                client_secret="s3cret",
                timeout_s=timeout_s,
            )
        )
        return feed, server

    return start


def _json(answer: Answer, value: object) -> bytes:
    return answer(200, json.dumps(value), Content_Type="application/json; charset=utf-8")


def test_an_advisory_appears_late_dated_back_and_is_resolved(clock: ManualClock) -> None:
    begun = clock.now()
    with Lab(load_scenario(ADVISORY, name="test"), clock=clock, seed=1) as lab:
        feed = MicrosoftHealthFeed(
            TenantAccess(
                base_url=lab.api_url,
                login_url=lab.api_url,
                tenant=lab.graph_tenant,
                client_id=lab.graph_client_id,
                client_secret=lab.graph_client_secret,
            )
        )
        clock.sleep(timedelta(hours=3))
        assert feed.advisories() == []

        clock.sleep(timedelta(hours=2))
        (open_,) = feed.advisories()
        clock.sleep(timedelta(hours=4))
        (closed,) = feed.advisories()

    assert (open_.id, open_.provider, open_.is_resolved) == ("MO255463", "microsoft365", False)
    assert open_.started_at == begun + timedelta(hours=1)
    assert open_.published_at == open_.updated_at == begun + timedelta(hours=4)
    assert "User Impact: links are blocked" in open_.text
    assert closed.is_resolved
    assert closed.ended_at == closed.updated_at == begun + timedelta(hours=7)
    assert closed.published_at == open_.published_at


def test_pages_are_read_to_the_last(feed_of: Any, answer: Answer) -> None:
    def page(number: int) -> bytes:
        issue = {**ISSUE, "id": f"EX{number}"}
        following = {"@odata.nextLink": f"{server.url}{ISSUES[4:]}?$skiptoken={number}"}
        return _json(answer, {"value": [issue], **(following if number < 5 else {})})

    feed, server = feed_of(page)

    assert [a.id for a in feed.advisories()] == ["EX2", "EX3", "EX4", "EX5"]


def test_pages_without_end_are_cut_off(feed_of: Any, answer: Answer) -> None:
    feed, server = feed_of({"value": []})
    server.answers[ISSUES] = _json(
        answer, {"value": [ISSUE], "@odata.nextLink": f"{server.url}{ISSUES[4:]}"}
    )

    assert len(feed.advisories()) == 20


def test_the_token_goes_to_no_other_server(feed_of: Any, web: Web, answer: Answer) -> None:
    thief = web({"GET": _json(answer, {"value": []})})
    feed, _ = feed_of({"value": [], "@odata.nextLink": f"{thief.url}/steal"})

    with pytest.raises(AgainLaterError, match="points to another server"):
        feed.advisories()
    assert thief.requests == []


@pytest.mark.parametrize(
    ("status", "is_resolved"),
    [
        ("serviceRestored", True),
        ("ServiceRestored", True),
        ("POSTINCIDENTREVIEWPUBLISHED", True),
        ("falsePositive", True),
        ("serviceInterruption", False),
        ("somethingNew", False),
    ],
)
def test_a_status_is_understood_in_any_case(feed_of: Any, status: str, is_resolved: bool) -> None:
    feed, _ = feed_of({"value": [{**ISSUE, "Status": status, "status": status}]})

    assert [a.is_resolved for a in feed.advisories()] == [is_resolved]


def test_keys_in_other_cases_and_unknown_ones_do_no_harm(feed_of: Any) -> None:
    issue = {key[0].upper() + key[1:]: value for key, value in ISSUE.items()}
    feed, _ = feed_of({"Value": [{**issue, "new": {"Deep": [1]}}], "count": 1})

    (advisory,) = feed.advisories()

    assert advisory.started_at == datetime(2026, 2, 5, 10, 30, tzinfo=UTC)
    assert advisory.updated_at == datetime(2026, 2, 6, 2, 0, tzinfo=UTC)
    assert advisory.url.endswith("/alerts/EX1227432")


def test_posts_become_plain_text_newest_first(feed_of: Any) -> None:
    posts = [
        {
            "createdDateTime": f"2026-02-0{day}T01:00:00.1234567Z",
            "description": {"contentType": "html", "content": f"<p>Post <b>{day}</b></p>"},
        }
        for day in (5, 6)
    ]
    feed, _ = feed_of(
        {"value": [{**ISSUE, "impactDescription": "Impact &amp; more", "posts": posts}]}
    )

    (advisory,) = feed.advisories()

    assert advisory.text == "Impact & more\n\nPost 6\n\nPost 5"
    assert advisory.published_at == datetime(2026, 2, 5, 1, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("id_", "service", "is_kept"),
    [
        ("EX1", "Exchange Online", True),
        ("MO1", "Microsoft 365 suite", True),
        ("DZ1", "Microsoft Defender XDR", True),
        ("EX2", "", True),
        ("ZZ1", "", True),
        ("TM1", "Microsoft Teams", False),
        ("SP1", "SharePoint Online", False),
    ],
)
def test_only_services_that_carry_mail_count(
    feed_of: Any, id_: str, service: str, is_kept: bool
) -> None:
    feed, _ = feed_of({"value": [{**ISSUE, "id": id_, "service": service}]})

    assert bool(feed.advisories()) is is_kept


@pytest.mark.parametrize(
    "issue",
    [
        {},
        {"id": "EX1"},
        {"id": "", "lastModifiedDateTime": "2026-02-06T02:00:00Z"},
        {"id": 7, "lastModifiedDateTime": 7},
        {"id": "EX1", "startDateTime": "yesterday", "posts": "none"},
        {"id": "EX1", "lastModifiedDateTime": "2026-02-06T02:00:00"},
        {"id": "EX1", "posts": [7, {"createdDateTime": None, "description": 3}]},
        7,
        None,
    ],
)
def test_an_issue_that_tells_nothing_is_passed_over(feed_of: Any, issue: object) -> None:
    feed, _ = feed_of({"value": [issue, ISSUE]})

    assert [a.id for a in feed.advisories()] == ["EX1227432"]


@pytest.mark.parametrize(
    "body",
    [b"<html>sign in</html>", b"", b"[]", b"7", b"{", b'{"error": 1}', b"[" * 100_000, b"\xff"],
)
def test_an_answer_that_affirms_nothing_is_no_health(
    feed_of: Any, answer: Answer, body: bytes
) -> None:
    feed, _ = feed_of(answer(200, body, Content_Type="application/json"))

    with pytest.raises(AgainLaterError):
        feed.advisories()


def test_a_page_in_html_is_no_health(feed_of: Any, answer: Answer) -> None:
    feed, _ = feed_of(answer(200, b'{"value": []}', Content_Type="text/html"))

    with pytest.raises(AgainLaterError, match="cannot answer now"):
        feed.advisories()


@pytest.mark.parametrize("status", [302, 429, 500, 503])
def test_a_service_in_trouble_is_asked_later(feed_of: Any, answer: Answer, status: int) -> None:
    feed, _ = feed_of(answer(status, b"", Retry_After="17", Location="/elsewhere"))

    with pytest.raises(AgainLaterError) as caught:
        feed.advisories()
    assert caught.value.retry_after == timedelta(seconds=17)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_needs_a_person(feed_of: Any, answer: Answer, status: int) -> None:
    feed, _ = feed_of(answer(status, b"{}", Content_Type="application/json"))

    with pytest.raises(PersonNeededError, match=r"ServiceHealth\.Read\.All"):
        feed.advisories()


def test_a_wrong_secret_needs_a_person_and_is_not_repeated(lab: Lab) -> None:
    feed = MicrosoftHealthFeed(
        TenantAccess(
            base_url=lab.api_url,
            login_url=lab.api_url,
            tenant=lab.graph_tenant,
            client_id=lab.graph_client_id,
            client_secret="wr0ng",
        )
    )

    with pytest.raises(PersonNeededError) as caught:
        feed.advisories()
    assert "wr0ng" not in f"{caught.value} {feed!r} {feed.__dict__}"


def test_a_service_that_is_not_there_is_asked_later(feed_of: Any) -> None:
    feed, server = feed_of({"value": []})
    server.stop()

    with pytest.raises(AgainLaterError, match="cannot be reached"):
        feed.advisories()


@pytest.mark.parametrize("key", [ISSUES, TOKEN])
def test_an_answer_that_breaks_off_is_no_health(
    feed_of: Any, broken: Callable[[Any, str], None], key: str
) -> None:
    feed, server = feed_of({"value": []}, timeout_s=0.5)
    broken(server, key)

    with pytest.raises(AgainLaterError, match=r"cannot be reached|too slow"):
        feed.advisories()


def test_a_token_is_kept_until_it_is_refused(clock: ManualClock) -> None:
    with Lab(load_scenario(ADVISORY, name="test"), clock=clock, seed=1) as lab:
        feed = MicrosoftHealthFeed(
            TenantAccess(
                base_url=lab.api_url,
                login_url=lab.api_url,
                tenant=lab.graph_tenant,
                client_id=lab.graph_client_id,
                client_secret=lab.graph_client_secret,
            )
        )
        feed.advisories()
        clock.sleep(timedelta(hours=5))

        assert len(feed.advisories()) == 1


def test_an_answer_too_long_is_cut_off(feed_of: Any, answer: Answer) -> None:
    feed, _ = feed_of(answer(200, b" " * 17_000_000, Content_Type="application/json"))

    with pytest.raises(AgainLaterError, match="too long or too slow"):
        feed.advisories()


def test_a_long_story_is_shortened(feed_of: Any) -> None:
    post = {"createdDateTime": "2026-02-05T01:00:00Z", "description": {"content": "x " * 15_000}}
    feed, _ = feed_of({"value": [{**ISSUE, "posts": [post] * 60}]})

    (advisory,) = feed.advisories()

    assert len(advisory.text) == MAX_TEXT


def test_scripts_and_styles_are_no_text() -> None:
    html = "<style>p{}</style><p>One&nbsp;<b>two</b><br/>three<script>alert(1)</script>\x07</p>"

    assert plain_text(html, limit=100) == "One two\nthree"
    assert plain_text(html, limit=5) == "One…"


@given(st.text(max_size=300) | st.text("<>!-/&;#x[]a='\"", max_size=300), st.integers(1, 50))
def test_no_html_makes_the_text_raise_or_overflow(html: str, limit: int) -> None:
    text = plain_text(html, limit=limit)

    assert len(text) <= limit
    assert text.replace("\n", "").isprintable()


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["<!--", "<a ", "<![CDATA[", "</", "&#", "<?", "<script>", "&#9", "9", "<a x"]
)
def test_hostile_html_takes_no_more_than_seconds(piece: str) -> None:
    assert len(plain_text("&#" + piece * 100_000, limit=1000)) <= 1000
