"""Encryption, sign-in and limits of the SMTP transport, against aiosmtpd."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from monitor.core.campaigns import Handover, Letter, Outcome
from monitor.core.errors import BadInputError, TransportRefusedError
from monitor.core.seeds import Endpoint, Security
from monitor.senders.routes import Mx, smarthost
from monitor.senders.smtp import SmtpTransport

WAIT_S = 10.0
SECRET = "correct horse"


class Inbox:
    """Keeps what arrives, and how it arrived."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.signed_in: list[bool] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.signed_in.append(bool(session.authenticated))
        at_once = server.transport.get_extra_info("ssl_object") is not None
        self.encrypted.append(at_once or session.ssl is not None)
        return "250 2.0.0 kept"


def check(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    right = isinstance(data, LoginPassword) and data.password == SECRET.encode()
    return AuthResult(success=right, handled=right)


class Servers:
    """aiosmtpd on one event loop in one thread, on ports that the kernel picks."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._loop = asyncio.new_event_loop()
        self._listeners: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def start(
        self, security: Security, *, tls: ssl.SSLContext | None = None, **options: Any
    ) -> Endpoint:
        if security is Security.STARTTLS and tls is not None:
            options |= {"tls_context": tls, "require_starttls": True}
        at_once = tls if security is Security.TLS else None
        if at_once is not None:  # aiosmtpd does not know of encryption from the first byte
            options |= {"auth_require_tls": False}

        async def listen() -> asyncio.Server:
            return await self._loop.create_server(
                lambda: SMTP(self.inbox, hostname="mx.example", loop=self._loop, **options),
                *("127.0.0.1", 0),
                ssl=at_once,
            )

        listener = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(WAIT_S)
        self._listeners.append(listener)
        port = listener.sockets[0].getsockname()[1]
        return Endpoint("127.0.0.1", port, security)

    def stop(self) -> None:
        async def close() -> None:
            for listener in self._listeners:
                listener.close()
                await listener.wait_closed()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()


@pytest.fixture
def servers() -> Iterator[Servers]:
    running = Servers()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def certificate(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def send(
    endpoint: Endpoint, *, raw: bytes = b"Subject: x\r\n\r\nhi\r\n", **options: Any
) -> Handover:
    transport = SmtpTransport(
        smarthost(endpoint), hostname="monitor.example", timeout_s=WAIT_S, **options
    )
    letter = Letter("<1@a.example>", "bounce@a.example", "seed@b.example", raw)
    [handover] = transport.send([letter])
    return handover


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_mail_travels_encrypted(
    servers: Servers, authority: trustme.CA, ca_file: Path, security: Security
) -> None:
    endpoint = servers.start(security, tls=certificate(authority, "127.0.0.1"))

    assert send(endpoint, ca_file=ca_file).outcome is Outcome.ACCEPTED
    assert servers.inbox.encrypted == [True]


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_a_certificate_for_another_name_is_refused(
    servers: Servers, authority: trustme.CA, ca_file: Path, security: Security
) -> None:
    endpoint = servers.start(security, tls=certificate(authority, "other.example"))

    with pytest.raises(TransportRefusedError) as refused:
        send(endpoint, ca_file=ca_file)

    assert "not its own" in str(refused.value)
    assert "host name" in refused.value.remedy
    assert servers.inbox.envelopes == []


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_a_certificate_of_an_unknown_authority_is_refused(
    servers: Servers, authority: trustme.CA, security: Security
) -> None:
    endpoint = servers.start(security, tls=certificate(authority, "127.0.0.1"))

    with pytest.raises(TransportRefusedError):
        send(endpoint)


def test_a_server_without_starttls_is_refused(servers: Servers) -> None:
    endpoint = servers.start(Security.STARTTLS)

    with pytest.raises(TransportRefusedError) as refused:
        send(endpoint)

    assert "does not offer STARTTLS" in str(refused.value)
    assert servers.inbox.envelopes == []


def test_a_long_message_travels_encrypted_whole(
    servers: Servers, authority: trustme.CA, ca_file: Path
) -> None:
    endpoint = servers.start(Security.TLS, tls=certificate(authority, "127.0.0.1"))
    raw = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 200_000

    assert send(endpoint, raw=raw, ca_file=ca_file).outcome is Outcome.ACCEPTED
    assert servers.inbox.envelopes[0].content == raw


def mx(endpoint: Endpoint) -> Mx:
    return Mx(endpoint.host, endpoint.port, Security.STARTTLS)


def test_an_mx_with_a_certificate_of_its_own_making_gets_mail_encrypted(
    servers: Servers, authority: trustme.CA
) -> None:
    """Mail servers do not insist among each other (RFC 7435); we say how it went."""
    endpoint = servers.start(Security.STARTTLS, tls=certificate(authority, "127.0.0.1"))

    handover = send(mx(endpoint))

    assert handover.outcome is Outcome.ACCEPTED
    assert servers.inbox.encrypted == [True]
    assert "did not prove its name" in handover.problem


def test_an_mx_with_the_right_certificate_is_nothing_to_speak_of(
    servers: Servers, authority: trustme.CA, ca_file: Path
) -> None:
    endpoint = servers.start(Security.STARTTLS, tls=certificate(authority, "127.0.0.1"))

    handover = send(mx(endpoint), ca_file=ca_file)

    assert (handover.outcome, handover.problem) == (Outcome.ACCEPTED, "")
    assert servers.inbox.encrypted == [True]


def test_an_mx_without_encryption_gets_mail_as_it_takes_it(servers: Servers) -> None:
    handover = send(mx(servers.start(Security.PLAIN)))

    assert handover.outcome is Outcome.ACCEPTED
    assert servers.inbox.encrypted == [False]
    assert "offers no encryption" in handover.problem


def test_no_password_goes_to_an_mx(servers: Servers, authority: trustme.CA, ca_file: Path) -> None:
    """Its name comes from the DNS, and the password is for a server of ours."""
    endpoint = servers.start(
        Security.STARTTLS, tls=certificate(authority, "127.0.0.1"), authenticator=check
    )

    handover = send(mx(endpoint), username="monitor", password=SECRET, ca_file=ca_file)

    assert handover.outcome is Outcome.ACCEPTED
    assert servers.inbox.signed_in == [False]


def test_an_mx_whose_encryption_fails_gets_mail_without(stage: Any) -> None:
    def babbles(conversation: Any) -> None:
        conversation.say("220 x\r\n")
        conversation.hear()
        conversation.say("250-x\r\n250 STARTTLS\r\n")
        conversation.hear()
        conversation.say("220 go on\r\n")
        conversation.say("this is no handshake\r\n" * 10)

    server = stage.serve(babbles, stage.script())

    handover = send(mx(server.endpoint))

    assert handover.outcome is Outcome.ACCEPTED
    assert "encryption failed" in handover.problem


def test_plain_speech_on_a_tls_port_reaches_nobody(servers: Servers) -> None:
    endpoint = servers.start(Security.PLAIN)

    handover = send(Endpoint(endpoint.host, endpoint.port, Security.TLS))

    assert handover.outcome is Outcome.FAILED


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_signing_in_works_over_an_encrypted_connection(
    servers: Servers, authority: trustme.CA, ca_file: Path, security: Security
) -> None:
    endpoint = servers.start(security, tls=certificate(authority, "127.0.0.1"), authenticator=check)

    handover = send(endpoint, ca_file=ca_file, username="monitor", password=SECRET)

    assert handover.outcome is Outcome.ACCEPTED
    assert servers.inbox.signed_in == [True]


def test_a_wrong_password_is_refused_and_never_shown(
    servers: Servers, authority: trustme.CA, ca_file: Path
) -> None:
    endpoint = servers.start(
        Security.STARTTLS,
        tls=certificate(authority, "127.0.0.1"),
        authenticator=check,
        auth_required=True,
    )

    with pytest.raises(TransportRefusedError) as refused:
        send(endpoint, ca_file=ca_file, username="monitor", password="hunter2")

    assert "cannot sign in" in str(refused.value)
    assert "as monitor: 535 5.7.8" in str(refused.value)
    assert "config.toml" in refused.value.remedy
    assert "hunter2" not in str(refused.value)


def test_a_server_without_sign_in_is_refused(
    servers: Servers, authority: trustme.CA, ca_file: Path
) -> None:
    endpoint = servers.start(Security.TLS, tls=certificate(authority, "127.0.0.1"))

    with pytest.raises(TransportRefusedError):
        send(endpoint, ca_file=ca_file, username="monitor", password=SECRET)


@pytest.mark.parametrize("password", ["größe", "\ud800"])
def test_a_password_that_the_protocol_cannot_carry_is_refused(
    servers: Servers, authority: trustme.CA, ca_file: Path, password: str
) -> None:
    endpoint = servers.start(
        Security.STARTTLS, tls=certificate(authority, "127.0.0.1"), authenticator=check
    )

    with pytest.raises(TransportRefusedError):
        send(endpoint, ca_file=ca_file, username="monitor", password=password)


def test_no_password_is_sent_unencrypted_to_another_machine(servers: Servers) -> None:
    """The name is not loopback by its spelling, though it leads there."""
    endpoint = servers.start(Security.PLAIN, authenticator=check, auth_require_tls=False)
    elsewhere = Endpoint("0.0.0.0", endpoint.port, Security.PLAIN)

    with pytest.raises(TransportRefusedError) as refused:
        send(elsewhere, username="monitor", password=SECRET)

    assert "will not send a password" in str(refused.value)


def test_the_transport_never_shows_its_password() -> None:
    endpoint = Endpoint("127.0.0.1", 1, Security.PLAIN)
    transport = SmtpTransport(
        smarthost(endpoint), hostname="h", timeout_s=1, username="u", password=SECRET
    )

    assert SECRET not in repr(transport)
    assert SECRET not in repr(vars(transport))


def test_fifty_megabytes_are_refused_by_size_before_they_travel(servers: Servers) -> None:
    endpoint = servers.start(Security.PLAIN, data_size_limit=1_000_000)

    handover = send(endpoint, raw=b"Subject: x\r\n\r\n" + b"x" * 50_000_000)

    assert handover.outcome is Outcome.REJECTED
    assert handover.reply is not None
    assert handover.reply.code == 552


@pytest.mark.parametrize("content", ["", "no certificate", None])
def test_a_file_without_certificates_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(BadInputError) as refused:
        send(Endpoint("127.0.0.1", 1, Security.PLAIN), ca_file=path)

    assert refused.value.field == "ca_file"


def test_a_refusing_server_fails_its_own_letters_only(
    servers: Servers, authority: trustme.CA, ca_file: Path
) -> None:
    good = servers.start(Security.TLS, tls=certificate(authority, "127.0.0.1"))
    bad = servers.start(Security.TLS, tls=certificate(authority, "other.example"))

    def route(recipient: str) -> Endpoint:
        return bad if "seed2" in recipient else good

    transport = SmtpTransport(route, hostname="h", timeout_s=WAIT_S, ca_file=ca_file)
    letters = [
        Letter(f"<{n}@a.example>", "b@a.example", f"seed{n}@b.example", b"Subject: x\r\n\r\n")
        for n in (1, 2, 3)
    ]
    handovers = list(transport.send(letters))

    assert [h.outcome for h in handovers] == [Outcome.ACCEPTED, Outcome.FAILED, Outcome.ACCEPTED]
    assert "not its own" in handovers[1].problem


def test_a_refusal_is_known_before_a_letter_is_begun(servers: Servers) -> None:
    """The caller notes each attempt as it asks for the outcome: there must be none yet."""
    endpoint = servers.start(Security.STARTTLS)
    transport = SmtpTransport(smarthost(endpoint), hostname="h", timeout_s=WAIT_S)
    letter = Letter("<1@a.example>", "b@a.example", "s@b.example", b"Subject: x\r\n\r\n")

    with pytest.raises(TransportRefusedError):
        transport.send([letter])
