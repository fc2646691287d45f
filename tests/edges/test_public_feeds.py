"""Status feeds that need no key, from servers that answer in the shape of the real ones."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.errors import AgainLaterError, PersonNeededError
from monitor.core.ports import StatusFeed, Validators
from monitor.feeds.apple import AppleStatusFeed
from monitor.feeds.google import GoogleStatusFeed
from monitor.feeds.rss import MAX_FEED, RssFeed
from monitor.feeds.statuspage import StatuspageFeed

Answer = Callable[..., bytes]
FIRST = Validators()

GOOGLE: Mapping[str, Any] = {
    "id": "3qcq6Tjx8g3pLRJTH6Ed",
    "number": "7702154083427643312",
    "begin": "2026-03-02T07:10:00+00:00",
    "created": "2026-03-02T09:45:12+00:00",
    "modified": "2026-03-02T10:31:40+00:00",
    "external_desc": "Gmail: messages are delayed\n\nSome *users* see delays.",
    "updates": [
        {"created": "2026-03-02T09:45:12+00:00", "text": "We are looking.", "status": "X"},
        {"created": "2026-03-02T10:31:40+00:00", "text": "A fix is rolling out.", "status": "X"},
    ],
    "most_recent_update": {"status": "SERVICE_DISRUPTION", "text": "A fix is rolling out."},
    "status_impact": "SERVICE_DISRUPTION",
    "service_name": "Gmail",
    "service_key": "prPt2Yra2CbGsbEm9cpC",
    "affected_products": [{"title": "Gmail", "id": "prPt2Yra2CbGsbEm9cpC"}],
    "uri": "incidents/3qcq6Tjx8g3pLRJTH6Ed",
    "nobody_knows_this_yet": {"deep": [1]},
}
APPLE: Mapping[str, Any] = {
    "messageId": 2000001234,
    "statusType": "Outage",
    "eventStatus": "ongoing",
    "message": "Users may be unable to receive email.",
    "usersAffected": "Some users were affected",
    "epochStartDate": 1772435400000,
}
STATUSPAGE: Mapping[str, Any] = {
    "id": "rczhl98w7lh4",
    "name": "Delays of mail to Yahoo",
    "status": "monitoring",
    "impact": "minor",
    "created_at": "2026-03-02T09:00:00.000Z",
    "started_at": "2026-03-02T08:20:00.000Z",
    "updated_at": "2026-03-02T09:40:00.000Z",
    "resolved_at": None,
    "shortlink": "https://stspg.io/rczhl98w7lh4",
    "incident_updates": [{"body": "<p>Mail is <b>queued</b>.</p>", "status": "monitoring"}],
}
RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>Acme</title>
<item><guid>https://status.acme.example/i/1</guid><title>{title}</title>
<description>&lt;p&gt;{text}&lt;/p&gt;</description>
<link>https://status.acme.example/i/1</link>
<pubDate>Mon, 02 Mar 2026 08:00:00 GMT</pubDate></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Acme</title><entry><id>tag:1</id>
<title>Spam filter trouble</title><updated>2026-03-02T09:00:00Z</updated>
<published>2026-03-02T08:00:00Z</published><summary>Mail is marked as spam.</summary>
</entry></feed>"""

MAKE: Mapping[str, Callable[[str], StatusFeed]] = {
    "google": lambda url: GoogleStatusFeed(url, timeout_s=5),
    "apple": lambda url: AppleStatusFeed(url, timeout_s=5),
    "statuspage": lambda url: StatuspageFeed("acme", url, "acme", timeout_s=5),
    "rss": lambda url: RssFeed("acme", url, "acme", timeout_s=5),
}
GOOD: Mapping[str, str] = {
    "google": json.dumps([GOOGLE]),
    "apple": json.dumps({"services": [{"serviceName": "iCloud Mail", "events": [APPLE]}]}),
    "statuspage": json.dumps({"page": {"id": "p"}, "incidents": [STATUSPAGE]}),
    "rss": RSS.format(title="Mail is delayed", text="We look."),
}


@pytest.fixture
def feed_of(web: Callable[..., Any]) -> Callable[..., tuple[StatusFeed, Any]]:
    """Return a feed of a kind whose server answers as told, and that server."""

    def start(kind: str, *answers: bytes) -> tuple[StatusFeed, Any]:
        server = web({"GET /": lambda n: answers[min(n, len(answers)) - 1]})
        return MAKE[kind](server.url), server

    return start


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, second, tzinfo=UTC)


def test_google_tells_of_gmail_and_nothing_else(feed_of: Any, answer: Answer) -> None:
    meet = {**GOOGLE, "id": "x", "service_name": "Meet", "service_key": "y"}
    meet["affected_products"] = [{"title": "Google Meet", "id": "z"}]
    feed, _ = feed_of("google", answer(200, json.dumps([meet, GOOGLE, 7])))

    (told,) = feed.ask(FIRST).advisories

    assert (told.id, told.provider) == ("google-3qcq6Tjx8g3pLRJTH6Ed", "gmail")
    assert (told.started_at, told.published_at) == (at(7, 10), at(9, 45, 12))
    assert told.title == "Gmail: messages are delayed"
    assert told.text.startswith("Some *users* see delays.\n\nA fix is rolling out.")
    assert (told.kinds, told.is_resolved) == (("delay",), False)
    assert told.raw["nobody_knows_this_yet"] == {"deep": [1]}


@pytest.mark.parametrize(
    "over",
    [{"end": "2026-03-02T11:00:00Z"}, {"most_recent_update": {"status": "AVAILABLE"}}],
)
def test_google_s_incident_is_over_by_its_end_or_its_last_word(
    feed_of: Any, answer: Answer, over: Mapping[str, object]
) -> None:
    feed, _ = feed_of("google", answer(200, json.dumps([{**GOOGLE, **over}])))

    assert feed.ask(FIRST).advisories[0].is_resolved


def test_apple_is_read_as_a_script_too_and_does_not_say_when_it_published(
    feed_of: Any, answer: Answer
) -> None:
    feed, _ = feed_of("apple", answer(200, f"jsonCallback({GOOD['apple']});"))

    (told,) = feed.ask(FIRST).advisories

    assert (told.id, told.provider) == ("apple-2000001234", "icloud")
    assert told.started_at == datetime(2026, 3, 2, 7, 10, tzinfo=UTC)
    assert (told.published_at, told.kinds) == (None, ("missing",))


def test_apple_without_icloud_mail_affirms_no_health(feed_of: Any, answer: Answer) -> None:
    feed, _ = feed_of("apple", answer(200, '{"services": [{"serviceName": "Maps"}]}'))

    with pytest.raises(AgainLaterError, match="does not name iCloud Mail"):
        feed.ask(FIRST)


def test_a_sending_service_s_page_tells_of_the_provider_that_it_names(
    feed_of: Any, answer: Answer
) -> None:
    own = {**STATUSPAGE, "id": "own", "name": "The API is slow", "status": "resolved"}
    both = json.dumps({"incidents": [STATUSPAGE, own]})
    feed, server = feed_of("statuspage", answer(200, both))

    of_yahoo, of_acme = feed.ask(FIRST).advisories

    assert server.requests == ["GET /api/v2/incidents.json"]
    assert (of_yahoo.id, of_yahoo.provider) == ("acme-rczhl98w7lh4", "yahoo")
    assert (of_yahoo.started_at, of_yahoo.published_at) == (at(8, 20), at(9))
    assert of_yahoo.text == "Mail is queued."
    assert (of_acme.provider, of_acme.is_resolved) == ("acme", True)


def test_a_feed_of_entries_is_read_by_its_words(feed_of: Any, answer: Answer) -> None:
    over = RSS.format(title="Resolved - mail is delayed", text="Resolved.")
    feed, _ = feed_of("rss", *(answer(200, body) for body in (GOOD["rss"], over, ATOM)))

    (open_,), (closed,), (atom,) = (feed.ask(FIRST).advisories for _ in range(3))

    assert open_.id == closed.id
    assert (open_.is_resolved, closed.is_resolved) == (False, True)
    assert (open_.published_at, open_.kinds) == (at(8), ("delay",))
    assert (atom.id, atom.updated_at) == ("acme-tag:1", at(9))


@pytest.mark.parametrize("kind", MAKE)
def test_what_has_not_changed_is_not_read_again(feed_of: Any, answer: Answer, kind: str) -> None:
    date = "Mon, 02 Mar 2026 08:00:00 GMT"
    first = answer(200, GOOD[kind], ETag='W/"7"', Last_Modified=date)
    feed, server = feed_of(kind, first, answer(304))

    known = feed.ask(FIRST).validators
    again = feed.ask(known)

    assert (again.is_unchanged, again.validators, again.advisories) == (True, known, ())
    head = server.heads[-1].lower()
    assert 'if-none-match: w/"7"' in head
    assert f"if-modified-since: {date}".lower() in head


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize(
    "body",
    ["<html>all is well</html>", "", "[]]", '{"incidents": 7}', "[" * 50_000, '{"x": NaN}'],
    ids=["html", "empty", "broken", "other", "deep", "nan"],
)
def test_an_answer_that_affirms_nothing_is_no_health(
    feed_of: Any, answer: Answer, kind: str, body: str
) -> None:
    feed, _ = feed_of(kind, answer(200, body))

    with pytest.raises(AgainLaterError):
        feed.ask(FIRST)


def test_what_is_wrong_within_an_incident_does_no_harm(feed_of: Any, answer: Answer) -> None:
    odd = [
        {**GOOGLE, "id": 7},
        {**GOOGLE, "modified": "yesterday", "created": None, "begin": "0001-01-01T00:00:00Z"},
        {**GOOGLE, "updates": "none", "most_recent_update": [], "affected_products": [1]},
        {**GOOGLE, "id": "a b\x00" * 99},
    ]
    feed, _ = feed_of("google", answer(200, json.dumps(odd)))

    told = feed.ask(FIRST).advisories

    assert len(told) == 2
    assert all(len(one.id) <= 64 and one.id.isprintable() for one in told)


def test_a_busy_page_is_asked_later_and_a_page_that_has_moved_needs_a_person(
    feed_of: Any, answer: Answer
) -> None:
    moved = answer(302, Location="http://169.254.169.254/latest")
    feed, server = feed_of("google", answer(429, Retry_After="90"), moved, answer(304), answer(404))

    with pytest.raises(AgainLaterError) as caught:
        feed.ask(FIRST)
    assert caught.value.retry_after == timedelta(seconds=90)
    with pytest.raises(PersonNeededError, match=r"has moved to 169\.254\.169\.254"):
        feed.ask(FIRST)
    with pytest.raises(AgainLaterError, match="304"):  # nothing was known before
        feed.ask(FIRST)
    with pytest.raises(PersonNeededError, match="404"):
        feed.ask(FIRST)
    assert len(server.requests) == 4


def test_a_feed_longer_than_any_is_not_parsed(feed_of: Any, answer: Answer) -> None:
    feed, _ = feed_of("rss", answer(200, GOOD["rss"] + " " * MAX_FEED))

    with pytest.raises(AgainLaterError, match="too long"):
        feed.ask(FIRST)
