"""Marking a copy and knowing it again."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.campaigns import Match, Wanted
from monitor.core.errors import BadInputError
from monitor.evidence import stamp
from monitor.evidence.recognise import recognise

SENT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TOKEN = "qwrt5zu4kpmnb2vcx3ya"
COPY = Wanted(message_id="<m1@shop.example.com>", token=TOKEN, sent_at=SENT)
OTHER = Wanted(message_id="<m2@shop.example.com>", token="zzzz5zu4kpmnb2vcx3ya", sent_at=SENT)


def match_of(headers: str, body: bytes | None = None, *, campaign_header: str = "") -> Match | None:
    found = recognise(headers.encode(), body, [OTHER, COPY], campaign_header=campaign_header)
    if found is None:
        return None
    assert found.wanted == COPY
    return found.match


def test_a_token_is_twenty_letters_and_digits() -> None:
    token = stamp.new_token(random.Random(1))

    assert len(token) == 20
    assert token.isalnum()
    assert token == token.lower()


def test_tokens_do_not_repeat() -> None:
    rng = random.Random(1)

    assert len({stamp.new_token(rng) for _ in range(1000)}) == 1000


def test_each_copy_has_its_own_message_id_and_always_the_same() -> None:
    ids = [stamp.message_id(TOKEN, number, "Shop.example.com") for number in range(100)]

    assert len(set(ids)) == 100
    assert ids[7] == stamp.message_id(TOKEN, 7, "shop.example.com")
    assert all(i.startswith("<") and i.endswith("@shop.example.com>") for i in ids)
    assert TOKEN not in "".join(ids)


@pytest.mark.parametrize("domain", ["", "a b.example", "x>\r\ny", "exämple.com", "a" * 64, "a."])
def test_a_message_id_needs_a_domain(domain: str) -> None:
    with pytest.raises(BadInputError) as refused:
        stamp.message_id(TOKEN, 1, domain)

    assert refused.value.field == "domain"


def test_the_message_id_is_the_strongest_mark() -> None:
    headers = f"Message-ID: {COPY.message_id}\r\nX-Seedwatch-Test: {OTHER.token}\r\n"

    assert match_of(headers) is Match.MESSAGE_ID


def test_a_message_id_on_a_folded_line_is_read() -> None:
    assert match_of(f"message-id:\r\n {COPY.message_id}\r\n") is Match.MESSAGE_ID


def test_a_message_id_without_brackets_is_read() -> None:
    assert match_of("Message-Id: m1@shop.example.com\r\n") is Match.MESSAGE_ID


@pytest.mark.parametrize("name", [*stamp.CAMPAIGN_HEADERS, stamp.TEST_HEADER])
def test_a_campaign_header_is_a_mark(name: str) -> None:
    assert match_of(f"Message-ID: <new@esp.example>\r\n{name}: {TOKEN}\r\n") is Match.HEADER


def test_a_tenant_may_name_the_campaign_header() -> None:
    headers = f"X-Our-Mailing: {TOKEN}\r\n"

    assert match_of(headers) is None
    assert match_of(headers, campaign_header="x-our-mailing") is Match.HEADER


def test_a_plus_address_is_a_mark() -> None:
    assert match_of(f"Delivered-To: seed+{TOKEN}@gmail.lab\r\n") is Match.PLUS_ADDRESS


def test_the_body_is_looked_at_last() -> None:
    assert match_of("Subject: x\r\n", f"<!-- {TOKEN} -->".encode()) is Match.BODY


def test_a_token_broken_by_quoted_printable_is_found() -> None:
    body = f"id:{TOKEN[:5]}=\r\n{TOKEN[5:]}".encode()

    assert match_of("Subject: x\r\n", body) is Match.BODY


def test_a_token_inside_a_longer_header_value_is_no_mark() -> None:
    """Somebody may quote our header; only the exact value is ours."""
    assert match_of(f"X-Job: about {TOKEN}\r\n") is None


def test_other_mail_is_not_ours() -> None:
    assert match_of("Message-ID: <x@y.example>\r\nSubject: hello\r\n", b"hello") is None


def test_an_empty_token_matches_nothing() -> None:
    blank = Wanted(message_id="", token="", sent_at=SENT)

    assert recognise(b"Message-ID:\r\nX-Job:\r\n", b"text", [blank]) is None


@given(headers=st.binary(max_size=2000), body=st.none() | st.binary(max_size=2000))
def test_no_bytes_make_it_raise(headers: bytes, body: bytes | None) -> None:
    recognise(headers, body, [COPY])
