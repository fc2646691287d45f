"""Knowing a campaign again that the sender's own mail service sent."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.campaigns import Match, Wanted
from monitor.evidence import bodies
from monitor.evidence.recognise import recognise

MADE = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORDS = (
    "Our spring collection is here and every jacket that you liked last year comes back in"
    " four new colours with free delivery until the end of next week for all our members"
)
HTML = f"<html><head><title>x</title></head><body><p>{WORDS}</p></body></html>"


def expected(number: int, made: datetime, *, end: datetime | None = None, **marks: str) -> Wanted:
    return Wanted(
        message_id=f"<{number}@ours.example>",
        token=f"{number:020d}".replace("0", "a").replace("1", "b"),
        sent_at=made,
        from_address="news@shop.example",
        subject="Spring  is HERE",
        window_end=end or made + 24 * HOUR,
        **marks,
    )


def header(at: datetime, *, sender: str = "Shop <News@Shop.example>", more: str = "") -> bytes:
    date = f"{at:%a, %d %b %Y %H:%M:%S} +0000"
    return (
        f"From: {sender}\r\nSubject: =?utf-8?q?Spring_is?= here\r\nDate: {date}\r\n"
        f"Message-ID: <x1@esp.example>\r\n{more}"
    ).encode()


FIRST = expected(1, MADE, end=MADE + HOUR)
SECOND = expected(2, MADE + HOUR)


@pytest.mark.parametrize(
    ("minutes", "meant"),
    [(1, FIRST), (59, FIRST), (60, SECOND), (61, SECOND), (24 * 60, SECOND)],
)
def test_two_tests_of_one_subject_an_hour_apart_are_told_apart(minutes: int, meant: Wanted) -> None:
    at = MADE + timedelta(minutes=minutes)

    found = recognise(header(at), None, [FIRST, SECOND], received_at=at)

    assert found is not None
    assert (found.wanted, found.match) == (meant, Match.WEAK)


def test_a_message_from_before_the_test_is_not_its_copy() -> None:
    at = MADE - HOUR

    assert recognise(header(at), None, [FIRST, SECOND], received_at=at) is None


def test_clocks_may_differ_by_a_few_minutes() -> None:
    at = MADE - timedelta(minutes=9)
    found = recognise(header(at), None, [FIRST], received_at=at)

    assert found is not None


def test_a_copy_that_a_quarantine_gave_back_is_known_by_its_own_date() -> None:
    sent = MADE + timedelta(minutes=5)

    found = recognise(header(sent), None, [FIRST, SECOND], received_at=sent + 5 * HOUR)

    assert found is not None
    assert found.wanted == FIRST


def test_a_date_that_cannot_be_true_is_not_believed() -> None:
    old = header(MADE - timedelta(days=300))

    found = recognise(old, None, [FIRST], received_at=MADE + HOUR / 2)

    assert found is not None


@pytest.mark.parametrize(
    "headers",
    [
        header(MADE, sender="Friend <friend@example.org>"),
        header(MADE).replace(b"Spring", b"Fwd: Spring"),
        b"Subject: Spring is here\r\n",
        b"From: news@shop.example\r\n",
    ],
    ids=["another From", "forwarded", "no From", "no subject"],
)
def test_what_only_resembles_the_campaign_is_not_it(headers: bytes) -> None:
    assert recognise(headers, None, [FIRST], received_at=MADE) is None


def test_without_a_window_from_and_subject_say_nothing() -> None:
    ours = Wanted("<1@x>", "t", MADE, from_address="news@shop.example", subject="Spring is here")

    assert recognise(header(MADE), None, [ours], received_at=MADE) is None


def test_the_service_s_own_campaign_header_is_stronger_than_from_and_subject() -> None:
    marked = expected(3, MADE, campaign_mark="spring 26")
    headers = header(MADE, more="X-Campaign-ID: spring 26\r\n")

    found = recognise(headers, None, [FIRST, marked], received_at=MADE)

    assert found is not None
    assert (found.wanted, found.match) == (marked, Match.HEADER)


def test_a_message_id_that_the_service_told_is_as_good_as_ours() -> None:
    sent = Wanted("<1@ours.example>", "t", MADE, other_ids=("<x1@esp.example>",))

    found = recognise(header(MADE), None, [sent])

    assert found is not None
    assert (found.wanted, found.match) == (sent, Match.MESSAGE_ID)


def message(html: str, *, encoding: str = "8bit") -> bytes:
    body = html.encode()
    if encoding == "base64":
        body = base64.encodebytes(body)
    kind = f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    return kind.encode() + b"\r\n" + body


def test_wording_is_known_though_links_greeting_and_footer_differ() -> None:
    mine = bodies.body_mark("", f"<p>Hello Anna, see https://shop.example/a</p>{HTML}")
    theirs = f"<p>Hello Bert, see https://click.example/xyz</p>{HTML}<p>Unsubscribe</p>"

    assert bodies.alike(mine, bodies.marks_of(message(theirs)).mark)
    assert bodies.alike(mine, bodies.marks_of(message(theirs, encoding="base64")).mark)


def test_other_words_are_not_alike() -> None:
    other = (
        "Your invoice for the last month is ready and the amount will be taken from your"
        " account within the next three days unless you tell us before that it should not be"
    )

    assert not bodies.alike(bodies.body_mark(WORDS, ""), bodies.body_mark(other, ""))


def test_a_few_words_could_be_anybody_s() -> None:
    assert bodies.body_mark("See you tomorrow at noon", "") == ""
    assert not bodies.alike("", "")


def test_wording_counts_within_the_window_only() -> None:
    mark = bodies.body_mark("", HTML)
    ours = Wanted("<1@x>", "t", MADE, body_mark=mark, window_end=MADE + HOUR)
    headers = b"From: a@b.example\r\nContent-Type: text/html\r\n"

    in_time = recognise(headers, HTML.encode(), [ours], received_at=MADE)
    later = recognise(headers, HTML.encode(), [ours], received_at=MADE + 2 * HOUR)

    assert in_time is not None
    assert in_time.match is Match.BODY_HASH
    assert later is None


def test_a_token_in_an_encoded_body_is_found() -> None:
    raw = message(f"<!-- {FIRST.token} -->", encoding="base64")
    head, _, body = raw.partition(b"\r\n\r\n")

    found = recognise(head + b"\r\n", body, [FIRST], received_at=MADE)

    assert found is not None
    assert found.match is Match.BODY


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_bytes_make_it_raise(headers: bytes, body: bytes) -> None:
    recognise(headers + b"\r\nFrom: " + body, body, [FIRST, SECOND], received_at=MADE)
    bodies.marks_of(body)


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: message/rfc822\r\n\r\n" * 8_000 + b"hi",
        b"Content-Type: text/plain; name*=a\0b''x%20y\r\n\r\nhi",
        b"Content-Type: text/plain; charset*=a\0b''x%20y\r\n\r\nhi",
        b"Content-Type: text/html\r\n\r\nhi <![ 3 ]> there",
    ],
)
def test_what_the_library_raises_on_makes_a_message_a_stranger_only(raw: bytes) -> None:
    assert bodies.marks_of(raw) == bodies.NOTHING


def test_words_around_an_unknown_marked_section_are_read() -> None:
    odd = HTML.replace("<p>", "<p><![vendor[ x ]]>")

    assert bodies.alike(bodies.body_mark("", odd), bodies.body_mark("", HTML))


@pytest.mark.parametrize(
    "written",
    [
        "=?utf-8?q?Gr=C3=BC=C3=9Fe_an_Sie?=, jetzt!",
        "=?utf-8?b?R3LD?=\r\n =?utf-8?b?vMOfZQ==?= an Sie, jetzt!",
        "=?iso-8859-1?q?Gr=FC=DFe?= =?utf-8?q?_an_Sie?=, =?us-ascii?q?jetzt!?=",
        "Gr\u00fc\u00dfe an\r\n Sie, jetzt!",
    ],
)
def test_a_subject_is_known_however_its_letters_are_written(written: str) -> None:
    raw = header(MADE).replace(b"=?utf-8?q?Spring_is?= here", written.encode())
    ours = replace(FIRST, subject="Gr\u00fc\u00dfe an Sie, jetzt!")

    found = recognise(raw, None, [ours], received_at=MADE)

    assert found is not None
    assert found.match is Match.WEAK


def test_a_subject_in_a_character_set_that_cannot_be_is_nobody_s() -> None:
    odd = header(MADE).replace(b"=?utf-8?", b"=?a\0b?")

    assert recognise(odd, None, [FIRST], received_at=MADE) is None


@given(st.text(max_size=300))
def test_a_mark_fits_its_column(text: str) -> None:
    assert len(bodies.body_mark(text * 20, "<p>" + text * 20)) <= 192
