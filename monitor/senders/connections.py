"""Open a connection to a mail server: greeting, encryption, sign-in."""

import ipaddress
import smtplib
import ssl
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from monitor.core.errors import BadInputError, SeedwatchError, TransportRefusedError
from monitor.core.seeds import Endpoint, Security
from monitor.senders.replies import BoundedReplies, BoundedTlsReplies, read_reply
from monitor.senders.routes import Mx

# "Not implemented" in its variants: the server knows only HELO.
NO_EHLO = frozenset({500, 501, 502, 504})


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are towards servers. `repr` never shows the password."""

    hostname: str  # in EHLO
    timeout_s: float  # for connecting, and for each complete reply
    tls: ssl.SSLContext
    username: str = ""
    password: str = field(default="", repr=False)


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the system's authorities, and those of *ca_file*.

    Raises:
        BadInputError: *ca_file* cannot be read or holds no certificate.
    """
    if ca_file is None:
        return _usual_context()
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise BadInputError(
            "ca_file",
            str(ca_file),
            f"holds no certificate that we can read ({error})",
            remedy="Name a file with PEM certificates.",
        ) from error
    return context


@cache
def _usual_context() -> ssl.SSLContext:
    """Read once: the system's authorities take longer to read than a short command to run."""
    return ssl.create_default_context()


def connect(endpoint: Endpoint, client: Client) -> BoundedReplies:
    """Return a connection that is ready for MAIL.

    Raises:
        TransportRefusedError: wrong certificate, no STARTTLS, or sign-in refused.
        smtplib.SMTPResponseException: the server answered with 4xx or 5xx.
        OSError: no connection, or it broke; smtplib's other errors are such.
    """
    if not isinstance(endpoint, Mx):
        return _connect(endpoint, client)
    stranger = replace(client, username="", password="")  # an MX asks for none, and gets none
    if endpoint.security is Security.STARTTLS:
        return _connect_as_well_as_it_goes(endpoint, stranger)
    return _connect(endpoint, stranger)


def _connect_as_well_as_it_goes(mx: Mx, client: Client) -> BoundedReplies:
    """Encrypt and verify; encrypt at least; or do without (RFC 7435). `note` says which.

    A failed handshake ends its connection, so each step down needs another one.
    """
    try:
        return _connect(mx, client)
    except ssl.SSLError as error:
        note = f"sent unencrypted, as the encryption failed: {error.reason}"
    except TransportRefusedError as error:
        wrong = error.__cause__
        note = "sent unencrypted, as the server offers no encryption"
        if isinstance(wrong, ssl.SSLCertVerificationError):
            note = (
                f"sent encrypted, to a server that did not prove its name: {wrong.verify_message}"
            )
            try:
                connection = _connect(mx, replace(client, tls=_trusting()))
            except ssl.SSLError as error:
                note = f"sent unencrypted, as the encryption failed: {error.reason}"
            else:
                connection.note = note
                return connection
    connection = _connect(replace(mx, security=Security.PLAIN), client)
    connection.note = note
    return connection


def _trusting() -> ssl.SSLContext:
    """Any certificate will do."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _connect(endpoint: Endpoint, client: Client) -> BoundedReplies:
    try:
        connection = _greeted(endpoint, client)
    except ssl.SSLCertVerificationError as error:
        raise _wrong_certificate(endpoint, error) from error
    try:
        _say_hello(connection)
        if endpoint.security is Security.STARTTLS:
            _start_tls(connection, endpoint, client)
        if client.username:
            _sign_in(connection, endpoint, client)
    except (OSError, SeedwatchError):
        connection.close()
        raise
    return connection


def _greeted(endpoint: Endpoint, client: Client) -> BoundedReplies:
    """Connect and read the greeting; smtplib raises if it is not 220."""
    if endpoint.security is Security.TLS:
        return BoundedTlsReplies(
            endpoint.host,
            endpoint.port,
            local_hostname=client.hostname,
            timeout=client.timeout_s,
            context=client.tls,
        )
    return BoundedReplies(
        endpoint.host, endpoint.port, local_hostname=client.hostname, timeout=client.timeout_s
    )


def _say_hello(connection: BoundedReplies) -> None:
    code, text = connection.ehlo()
    if code in NO_EHLO:
        code, text = connection.helo()
    if code != 250:
        raise smtplib.SMTPHeloError(code, text)


def _start_tls(connection: BoundedReplies, endpoint: Endpoint, client: Client) -> None:
    try:
        connection.starttls(context=client.tls)
    except smtplib.SMTPNotSupportedError as error:
        raise TransportRefusedError(
            f"{endpoint} does not offer STARTTLS, so mail would travel unencrypted.",
            remedy='Use its TLS port (security = "tls"), or another server.',
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise _wrong_certificate(endpoint, error) from error
    if connection.has_unread:
        # Sent in plain text ahead of the handshake, to be taken for the server's own
        # words after it (CVE-2011-0411).
        raise smtplib.SMTPServerDisconnected("answers were slipped in ahead of the encryption")
    _say_hello(connection)


def _sign_in(connection: BoundedReplies, endpoint: Endpoint, client: Client) -> None:
    if endpoint.security is Security.PLAIN and not _is_loopback(endpoint.host):
        raise TransportRefusedError(
            f"will not send a password to {endpoint} over an unencrypted connection.",
            remedy='Set security to "tls" or "starttls".',
        )
    try:
        connection.login(client.username, client.password)
    except smtplib.SMTPAuthenticationError as error:
        if 400 <= error.smtp_code < 500:
            raise
        raise _locked(
            endpoint, client, str(read_reply(error.smtp_code, error.smtp_error))
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise _locked(endpoint, client, "it offers no sign-in on this port") from error
    except smtplib.SMTPServerDisconnected:
        raise
    except (smtplib.SMTPException, ValueError) as error:
        # The library can only send ASCII, and knows only CRAM-MD5, PLAIN and LOGIN.
        reason = (
            "no way of signing in that both sides know, or a password with letters beyond ASCII"
        )
        raise _locked(endpoint, client, reason) from error


def _locked(endpoint: Endpoint, client: Client, reason: str) -> TransportRefusedError:
    return TransportRefusedError(
        f"cannot sign in to {endpoint} as {client.username}: {reason}.",
        remedy="Check user name and password of the mail server in config.toml.",
    )


def _wrong_certificate(
    endpoint: Endpoint, error: ssl.SSLCertVerificationError
) -> TransportRefusedError:
    return TransportRefusedError(
        f"{endpoint} shows a certificate that is not its own: {error.verify_message}",
        remedy="Check the server's host name; for an authority of your own, set ca_file.",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
