"""A connection to an IMAP server: whole responses in, whole writes out, all of it bounded."""

import ipaddress
import select
import socket
import ssl
from time import monotonic

from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.seeds import Endpoint, Security
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.imap_wire import Response

MAX_LINE = 1024 * 1024  # of one response, literals not counted
MAX_PARTS = 128  # texts and literals of one response
MAX_TAKEN = 48 * 1024 * 1024  # bytes between two calls of `begin`


class ConnectionLostError(MailboxBusyError):
    """The server closed the connection."""

    was_amid_batch = False  # while it owed the answers to several commands


class ThrottledError(MailboxBusyError):
    """The server says that it is asked too much."""


class FloodError(MailboxBusyError):
    """The server sent more than we take."""


class ImapStream:
    """One TCP connection, in TLS as its endpoint says. Not safe between threads.

    Every wait ends `timeout_s` after the latest `begin`, however slowly bytes drip in.
    """

    def __init__(
        self, endpoint: Endpoint, address: str, *, timeout_s: float, ca_file: str | None
    ) -> None:
        self._endpoint = endpoint
        self._address = address
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._buffer = bytearray()
        self._taken = 0
        self._deadline = monotonic() + timeout_s
        self.round_trips = 0  # writes so far: each one waits for an answer
        self._socket = self._connect()
        if endpoint.security is Security.TLS:
            self.start_tls()
        elif endpoint.security is Security.PLAIN:
            self._check_loopback()

    def begin(self) -> None:
        """Start the time and the bytes of the next exchange."""
        self._deadline = monotonic() + self._timeout_s
        self._taken = 0

    def start_tls(self) -> None:
        """Go on in TLS.

        Raises:
            MailboxLockedError: the certificate is not the server's own.
            MailboxBusyError: no handshake.
        """
        if self._buffer:
            # Bytes from before the handshake could have been put in by anybody.
            raise self.busy(f"{self._endpoint} speaks before TLS begins")
        host = self._endpoint.host
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            self._socket.close()
            raise MailboxLockedError(
                self.words(f"the certificate of {host} is not valid: {error.verify_message}"),
                remedy="Check the host name, or name the file of its CA.",
            ) from error
        except OSError as error:
            self._socket.close()
            raise self.busy(
                f"no TLS with {self._endpoint} ({wire.shown(str(error))})",
                remedy="Check the port and security of this seed.",
            ) from error

    def write(self, data: bytes) -> None:
        """Send *data* and count a round trip.

        Raises:
            MailboxBusyError: the server does not take it.
        """
        self.round_trips += 1
        try:
            self._socket.settimeout(self._left_s())
            self._socket.sendall(data)
        except TimeoutError as error:
            raise self.busy(f"the server takes nothing for {self._timeout_s:g} s") from error
        except OSError as error:
            raise self.lost("the connection broke") from error

    def response(self, *, max_literal: int = 0) -> Response:
        """Read one response with its literals, each of at most *max_literal* bytes.

        Raises:
            ConnectionLostError, FloodError, MailboxBusyError: nothing that we can use.
        """
        parts: list[bytes] = []
        while True:
            line = self._line()
            size = _literal_size(line)
            if size is None:
                parts.append(line)
                return wire.parse(parts)
            if size > max_literal or len(parts) >= MAX_PARTS:
                raise FloodError(self.words(f"the server sends {size} bytes in one piece"))
            parts.append(line[: line.rindex(b"{")])
            parts.append(self._take(size))

    def has_more(self, seconds: float) -> bool:
        """Wait at most *seconds* for the server to speak; say whether it does."""
        has_decrypted = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        if self._buffer or has_decrypted:
            return seconds > 0
        readable = select.poll()  # which, unlike select(), knows sockets beyond the 1,024th
        readable.register(self._socket, select.POLLIN)
        return seconds > 0 and bool(readable.poll(1000 * seconds))

    def close(self) -> None:
        """Say goodbye without waiting for the answer. Never raises."""
        try:
            self._socket.settimeout(0.2)
            self._socket.sendall(b"Z LOGOUT\r\n")
        except OSError:
            pass  # it is gone already, which is all we want
        finally:
            self._socket.close()

    def words(self, problem: str) -> str:
        """Return a sentence about this mailbox."""
        return f"cannot read {self._address}: {problem}."

    def busy(self, problem: str, *, remedy: str = "") -> MailboxBusyError:
        return MailboxBusyError(self.words(problem), remedy=remedy)

    def throttled(self, problem: str) -> ThrottledError:
        return ThrottledError(self.words(problem))

    def lost(self, problem: str) -> ConnectionLostError:
        return ConnectionLostError(self.words(problem))

    def _connect(self) -> socket.socket:
        where = (self._endpoint.host, self._endpoint.port)
        try:
            connection = socket.create_connection(where, timeout=self._timeout_s)
        except (OSError, UnicodeError) as error:
            why = wire.shown(str(error))
            raise self.busy(
                f"no connection to {self._endpoint} ({why})",
                remedy="Check the host and port of this seed, and that its server runs.",
            ) from error
        # Without it, what is written in small pieces waits 40 ms for each of them.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _check_loopback(self) -> None:
        """Refuse to send a password in clear text to another machine."""
        if not ipaddress.ip_address(self._socket.getpeername()[0]).is_loopback:
            self._socket.close()
            raise MailboxLockedError(
                self.words("its password would go over the network without encryption"),
                remedy="Set its security to tls or starttls.",
            )

    def _line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise FloodError(self.words("the server sends a line without end"))
            self._receive()
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _receive(self) -> None:
        try:
            self._socket.settimeout(self._left_s())
            data = self._socket.recv(65536)
        except TimeoutError as error:
            raise self.busy(f"the server did not answer within {self._timeout_s:g} s") from error
        except OSError as error:
            raise self.lost("the connection broke") from error
        if not data:
            raise self.lost("the server closed the connection")
        self._taken += len(data)
        if self._taken > MAX_TAKEN:
            raise FloodError(self.words(f"the server sends more than {MAX_TAKEN} bytes"))
        self._buffer += data

    def _left_s(self) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _literal_size(line: bytes) -> int | None:
    """Return the size that the end of a line announces, as in "BODY[] {42}"."""
    if not line.endswith(b"}"):
        return None
    digits = line[line.rfind(b"{") + 1 : -1].rstrip(b"+")
    return int(digits) if digits.isdigit() and len(digits) <= 12 else None
