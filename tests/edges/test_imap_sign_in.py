"""Connecting and signing in: what is refused for good, what for now, and what is never said."""

import base64
import ssl
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from monitor.core.campaigns import Wanted
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.seeds import Endpoint, ProviderFacts, Security
from monitor.mailboxes.imap import ImapMailbox
from tests.edges.conftest import tagged

Start = Callable[..., Any]
Open = Callable[..., ImapMailbox]
Want = Callable[..., Wanted]


@pytest.mark.parametrize(
    "answer",
    [
        b"TAG NO [AUTHENTICATIONFAILED] Invalid credentials\r\n",
        b"TAG NO [ALERT] Application-specific password required\r\n",
        b"TAG NO LOGIN failed.\r\n",
        b"TAG NO [EXPIRED] password\r\n",
    ],
)
def test_a_refused_sign_in_needs_a_person_and_says_what_to_do(
    scripted: Start,
    mailbox: Open,
    wanted: Want,
    facts: dict[str, ProviderFacts],
    answer: bytes,
) -> None:
    server = scripted({"LOGIN": answer})

    with pytest.raises(MailboxLockedError) as caught:
        mailbox(server.endpoint, "gmail").look([wanted()])

    assert caught.value.what.startswith("cannot read a@seed.example: sign-in refused (")
    assert caught.value.remedy == facts["gmail"].login_remedy


@pytest.mark.parametrize(
    "answer",
    [
        b"TAG NO [UNAVAILABLE] Temporary authentication failure\r\n",
        b"TAG NO [LIMIT] Too many connections\r\n",
        b"TAG NO [INUSE] Locked by another session\r\n",
        b"TAG NO [ALERT] Too many simultaneous connections\r\n",
        b"TAG NO Server busy, please try again later\r\n",
        b"TAG BAD User is authenticated but not connected.\r\n",
        b"* BYE shutting down\r\n",
        b"TAG nonsense\r\n* BYE\r\n",
        None,
    ],
)
def test_a_sign_in_that_may_work_later_is_tried_later(
    scripted: Start, mailbox: Open, wanted: Want, answer: bytes | None
) -> None:
    server = scripted({"LOGIN": answer})

    with pytest.raises(MailboxBusyError, match=r"^cannot read a@seed\.example: "):
        mailbox(server.endpoint).look([wanted()])


@pytest.mark.parametrize(
    "greeting",
    [b"* BYE too busy\r\n", b"220 mail.example ESMTP\r\n", b"\r\n", b"\x15\x03\x01\x00\x02\n"],
)
def test_a_server_that_does_not_greet_as_imap_is_busy(
    scripted: Start, mailbox: Open, wanted: Want, greeting: bytes
) -> None:
    server = scripted({}, greeting=greeting)

    with pytest.raises(MailboxBusyError, match="does not greet as IMAP"):
        mailbox(server.endpoint).look([wanted()])


def test_a_server_that_is_not_there_is_busy(mailbox: Open, wanted: Want, scripted: Start) -> None:
    server = scripted({})
    server.stop()

    with pytest.raises(MailboxBusyError, match=f"no connection to {server.endpoint}"):
        mailbox(server.endpoint).look([wanted()])


def test_a_host_without_an_address_is_busy(mailbox: Open, wanted: Want) -> None:
    nowhere = Endpoint("imap" + "." * 3 + "invalid", 993, Security.TLS)

    with pytest.raises(MailboxBusyError, match="no connection to"):
        mailbox(nowhere).look([wanted()])


@pytest.mark.parametrize(
    "command", ["LOGIN", "LIST", "UID SEARCH SINCE 1-Mar-2026 HEADER", "UID FETCH"]
)
def test_a_server_that_falls_silent_is_given_up(
    scripted: Start, mailbox: Open, wanted: Want, command: str
) -> None:
    server = scripted({command: b""})

    with pytest.raises(MailboxBusyError, match=r"did not answer within 0\.2 s"):
        mailbox(server.endpoint, timeout_s=0.2).look([wanted()])


def test_a_server_that_never_greets_is_given_up(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({}, greeting=b"* OK no line end")

    with pytest.raises(MailboxBusyError, match=r"did not answer within 0\.2 s"):
        mailbox(server.endpoint, timeout_s=0.2).look([wanted()])


@pytest.mark.parametrize("password", ["s3cret word", 'se"cr\\et', "s3c"])
def test_no_error_repeats_the_password_even_if_the_server_does(
    scripted: Start, mailbox: Open, wanted: Want, password: str
) -> None:
    escaped = password.replace("\\", "\\\\").replace('"', '\\"').encode()
    server = scripted({"LOGIN": b'TAG NO what is LOGIN "a" "' + escaped + b'"?\r\n'})

    with pytest.raises(MailboxLockedError) as caught:
        mailbox(server.endpoint, password=password).look([wanted()])

    assert password not in str(caught.value)
    assert escaped.decode() not in str(caught.value)
    assert "its words are not shown" in str(caught.value)


def test_a_quote_in_a_password_stays_in_the_password(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({})

    mailbox(server.endpoint, password='a"b\\c').look([wanted()])

    assert server.commands[0] == 'LOGIN "a@seed.example" "a\\"b\\\\c"'


@pytest.mark.parametrize(
    ("greeting", "commands"),
    [
        (b"* OK [CAPABILITY IMAP4rev1 SASL-IR] hi\r\n", ["AUTHENTICATE PLAIN {}"]),
        (b"* OK hi\r\n", ["AUTHENTICATE PLAIN", ""]),
    ],
)
def test_a_password_beyond_ascii_goes_by_sasl(
    scripted: Start, mailbox: Open, wanted: Want, greeting: bytes, commands: list[str]
) -> None:
    secret = base64.b64encode("\0a@seed.example\0pässword".encode()).decode()
    answer = b"TAG OK in\r\n" if "{}" in commands[0] else b"+ go\r\n"
    server = scripted({"AUTHENTICATE PLAIN": answer, "": b"S1 OK in\r\n"}, greeting=greeting)

    mailbox(server.endpoint, password="pässword").look([wanted()])

    assert server.commands[: len(commands)] == [c.format(secret) for c in commands]


def test_login_is_not_used_where_it_is_disabled(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    greeting = b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED SASL-IR AUTH=PLAIN] hi\r\n"
    server = scripted({"AUTHENTICATE": b"TAG OK in\r\n"}, greeting=greeting)

    mailbox(server.endpoint).look([wanted()])

    assert [c for c in server.commands if c.startswith("LOGIN")] == []


@pytest.fixture
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    return context


def starttls(server: Any, host: str = "localhost") -> Endpoint:
    return Endpoint(host, server.endpoint.port, Security.STARTTLS)


def test_a_connection_becomes_encrypted_before_the_password_is_sent(
    scripted: Start, mailbox: Open, wanted: Want, tls: ssl.SSLContext, ca_file: str
) -> None:
    server = scripted({"STARTTLS": b"TAG OK begin\r\n"}, tls=tls)

    found = mailbox(starttls(server), ca_file=ca_file).look([wanted()])

    assert [copy.folder for copy in found] == ["INBOX"]
    assert server.commands[:2] == ["STARTTLS", 'LOGIN "a@seed.example" "pw"']


@pytest.mark.parametrize(
    "answer", [b"TAG NO not today\r\n", b"TAG BAD what?\r\n", b"TAG OK go\r\n* OK injected\r\n"]
)
def test_no_password_is_sent_where_encryption_fails_or_was_tampered_with(
    scripted: Start, mailbox: Open, wanted: Want, ca_file: str, answer: bytes
) -> None:
    server = scripted({"STARTTLS": answer})

    with pytest.raises(MailboxBusyError):
        mailbox(starttls(server), ca_file=ca_file, timeout_s=2).look([wanted()])

    assert [c for c in server.commands if "pw" in c] == []


def test_a_certificate_of_another_host_needs_a_person(
    scripted: Start, mailbox: Open, wanted: Want, tls: ssl.SSLContext, ca_file: str
) -> None:
    server = scripted({"STARTTLS": b"TAG OK begin\r\n"}, tls=tls)

    with pytest.raises(MailboxLockedError) as caught:
        mailbox(starttls(server, "127.0.0.1"), ca_file=ca_file).look([wanted()])

    assert "the certificate of 127.0.0.1 is not valid: IP address mismatch" in caught.value.what
    assert caught.value.remedy == "Check the host name, or name the file of its CA."


def test_a_certificate_of_nobody_s_ca_needs_a_person(
    scripted: Start, mailbox: Open, wanted: Want, tls: ssl.SSLContext
) -> None:
    server = scripted({"STARTTLS": b"TAG OK begin\r\n"}, tls=tls)

    with pytest.raises(MailboxLockedError, match="certificate of localhost is not valid"):
        mailbox(starttls(server)).look([wanted()])


def test_a_server_without_tls_is_busy(scripted: Start, mailbox: Open, wanted: Want) -> None:
    plain = scripted({}).endpoint

    with pytest.raises(MailboxBusyError, match="no TLS with"):
        mailbox(Endpoint(plain.host, plain.port, Security.TLS)).look([wanted()])


def test_the_scripted_server_takes_any_bytes_for_a_tag() -> None:
    """A client that begins with TLS sends bytes of chance, a backslash among them."""
    assert tagged(b"TAG OK done\r\n", b"\x16\\H") == b"\x16\\H OK done\r\n"
