"""What a filter reads in hostile mail."""

import base64
import quopri
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.letters import link_hosts, read_subject

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "7bit": bytes,
    "quoted-printable": quopri.encodestring,
    "base64": base64.encodebytes,
}
HTML = b'<a href="https://lnk.example.net/x?y=1">go</a> http://Other.Example.COM/'


def test_the_sender_is_known_by_from_and_envelope() -> None:
    raw = b"From: =?utf-8?Q?B=C3=BC?= <News@Brand.example>\r\nMessage-ID: <1@x>\r\n\r\nhello"

    subject = read_subject(raw, "bounce@esp.example", "you@x.example")

    assert subject.sender_domains == {"brand.example", "esp.example"}
    assert (subject.from_domain, subject.message_id) == ("brand.example", "<1@x>")


def test_folded_headers_are_read() -> None:
    raw = b"Message-ID:\r\n <1@x>\r\nX-Seedwatch-Test:\r\n\ttoken\r\n\r\n"

    subject = read_subject(raw, "", "you@x.example")

    assert (subject.message_id, subject.test) == ("<1@x>", "token")


@pytest.mark.parametrize("encoding", list(ENCODERS))
@pytest.mark.parametrize("in_parts", [True, False])
def test_links_are_seen_through_every_transfer_encoding(encoding: str, in_parts: bool) -> None:
    body = ENCODERS[encoding](HTML).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    field = f"Content-Transfer-Encoding: {encoding}\r\nContent-Type: text/html\r\n\r\n".encode()
    if in_parts:
        raw = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        raw += field + body + b"\r\n--b--\r\n"
    else:
        raw = b"Subject: x\r\n" + field + body

    assert link_hosts(raw) == {"lnk.example.net", "other.example.com"}


def test_a_link_split_by_a_soft_break_is_one_link() -> None:
    raw = b"Subject: x\r\n\r\nhttps://lnk.exa=\r\nmple.net/a"

    assert link_hosts(raw) == {"lnk.example.net"}


@given(st.binary(max_size=500), st.text(max_size=30))
def test_no_message_makes_the_filter_stumble(raw: bytes, mail_from: str) -> None:
    subject = read_subject(raw, mail_from, "you@x.example")

    assert subject.recipient == "you@x.example"


def test_a_message_made_to_waste_time_does_not() -> None:
    """Each line looks like the start of a base64 part, none has a body."""
    raw = b"Subject: x\r\n\r\n" + b"Content-Transfer-Encoding: base64\r\n" * 20_000

    assert link_hosts(raw) == frozenset()
