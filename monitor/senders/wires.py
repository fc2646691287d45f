"""Carry a dialogue over a connection that never makes us wait."""

import smtplib
import socket
import ssl
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from monitor.core.campaigns import Letter
from monitor.core.seeds import Endpoint
from monitor.senders.dialogue import Dialogue, Ended
from monitor.senders.replies import BoundedReplies

PARTING_S: Final = 2.0  # how long servers may take to answer QUIT
SLICE: Final = 65_536  # bytes offered to the socket at a time
WOULD_WAIT: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """A connection that is ready for MAIL, and the letters on their way over it.

    Reading and writing take turns as the socket allows: a server that waits for us to read
    its answers, while we wait for it to read our messages, would hold both for ever
    (RFC 2920 section 3.1).

    Args:
        ignored: extensions not to be used though the server offers them, lower case.
    Raises:
        smtplib.SMTPServerDisconnected: the server said more than it was asked.
    """

    def __init__(
        self, server: Endpoint, connection: BoundedReplies, ignored: Collection[str] = ()
    ) -> None:
        if connection.sock is None or connection.has_unread:
            connection.close()
            raise smtplib.SMTPServerDisconnected("the server spoke out of turn")
        self.server = server
        self.note = connection.note
        offered = set(connection.esmtp_features)
        self.dialogue = Dialogue(offered.difference(ignored))
        self._connection = connection
        self._sock: socket.socket = connection.sock
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._timeout_s = float(connection.timeout)
        self._deadline = 0.0
        self.has_served = False  # so that its end says nothing about the next letter
        self.is_leaving = False

    def fileno(self) -> int:
        """The socket's, for `selectors`."""
        return self._sock.fileno()

    @property
    def seconds_left(self) -> float:
        """Until the answer that is awaited is overdue."""
        return self._deadline - time.monotonic()

    @property
    def wants_to_write(self) -> bool:
        return bool(self.dialogue.outgoing)

    def begin(self, ticket: int, letter: Letter) -> None:
        """Put a letter on its way; nothing is sent before `write`."""
        if self.dialogue.in_flight == 0:
            self._await()
        self.dialogue.begin(ticket, letter)

    def write(self) -> list[Ended]:
        """Send what the socket takes; return the attempts that ended, as the line broke."""
        out = self.dialogue.outgoing
        try:
            while out:
                self.dialogue.sent(self._sock.send(out[:SLICE]))
        except WOULD_WAIT:
            return []
        except OSError as error:
            return self._broken(error)
        return []

    def read(self) -> list[Ended]:
        """Take what the server said; return the attempts that it ended."""
        ended: list[Ended] = []
        while not self.dialogue.is_over:
            try:
                packet = self._sock.recv(65536)
            except WOULD_WAIT:
                break
            except OSError as error:
                return ended + self.dialogue.lost(str(error))
            ended += self._hear(packet)
        return ended

    def overdue(self) -> list[Ended]:
        """Give up waiting."""
        return self.dialogue.lost("no answer in time", is_silent=True)

    def take_leave(self) -> None:
        """Say QUIT, if it would be understood; do not wait."""
        self.is_leaving = not (self.dialogue.is_over or self.dialogue.in_flight)
        if self.is_leaving:
            with suppress(OSError):
                self._sock.send(b"quit\r\n")

    def close(self, *, until: float) -> None:
        """Close the connection, once QUIT was answered or at *until* (monotonic seconds)."""
        left = until - time.monotonic()
        if self.is_leaving and left > 0:
            self._connection.timeout = left
            with suppress(OSError):
                self._connection.getreply()
        self._connection.close()

    def _await(self) -> None:
        self._deadline = time.monotonic() + self._timeout_s

    def _hear(self, packet: bytes) -> list[Ended]:
        if not packet:
            return self.dialogue.lost("the server closed the connection")
        ended: list[Ended] = []
        for reply in self._connection.reader.feed(packet):
            self._await()
            ended += self.dialogue.answer(reply)
        self.has_served = self.has_served or self.dialogue.completed > 0
        if self._connection.reader.is_broken:
            ended += self.dialogue.lost("the answer is not SMTP, or endless")
        return ended

    def _broken(self, error: OSError) -> list[Ended]:
        """The server may have said why before it hung up."""
        return self.read() + self.dialogue.lost(f"the connection broke: {error}")


def part(wires: Sequence[Wire]) -> None:
    """Leave politely; what was handed over is safe whatever a server answers now."""
    for wire in wires:
        wire.take_leave()
    until = time.monotonic() + PARTING_S
    for wire in wires:
        wire.close(until=until)
