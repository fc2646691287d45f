"""Read a server's answers: bounded in lines, bytes and time, whatever the server does."""

import re
import smtplib
import time

from monitor.core.campaigns import SmtpReply

MAX_REPLY = 64 * 1024
MAX_LINES = 200
MAX_TEXT = 1000

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")
_CODE = re.compile(rb"[2-5][0-9][0-9](?=[ \r\n-]|$)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]+")


class ServerSilentError(smtplib.SMTPServerDisconnected):
    """No complete answer within the time allowed."""


class NotSmtpError(smtplib.SMTPServerDisconnected):
    """The answer is no SMTP, or longer than any honest one; the connection was closed."""


class BoundedReplies(smtplib.SMTP):
    """smtplib's client, reading replies with limits.

    The library waits anew for each packet and reads as many lines as a server cares to
    send, so that a hostile one can hold it for ever. Here a whole reply has `timeout`
    seconds and MAX_REPLY bytes.
    """

    _pending = b""

    def getreply(self) -> tuple[int, bytes]:
        """Return code and text of the next reply, text lines joined by newlines.

        Raises:
            ServerSilentError: not in time.
            NotSmtpError: more than the limits, or no SMTP.
            smtplib.SMTPServerDisconnected: the connection is gone.
        """
        deadline = time.monotonic() + float(self.timeout)
        lines: list[bytes] = []
        size = 0
        while True:
            line = self._line(deadline)
            size += len(line)
            if _CODE.match(line) is None or len(lines) == MAX_LINES or size > MAX_REPLY:
                self.close()
                raise NotSmtpError("the answer is not SMTP, or endless")
            lines.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    @property
    def has_unread(self) -> bool:
        """Has the server said more than it was asked?"""
        return bool(self._pending)

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._pending:
            if len(self._pending) > MAX_REPLY:
                break
            self._pending += self._packet(deadline)
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _packet(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if self.sock is None or left <= 0:
            self.close()
            raise ServerSilentError("no answer in time")
        try:
            self.sock.settimeout(left)
            packet = self.sock.recv(8192)
            self.sock.settimeout(float(self.timeout))
        except TimeoutError as error:
            self.close()
            raise ServerSilentError("no answer in time") from error
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected(f"the connection broke: {error}") from error
        if not packet:
            self.close()
            raise smtplib.SMTPServerDisconnected("the server closed the connection")
        return packet


class BoundedTlsReplies(BoundedReplies, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""


def read_reply(code: int, text: bytes | str) -> SmtpReply:
    """Make a reply of what smtplib returns: code, enhanced code (RFC 3463), one line of text."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    enhanced = ""
    words = []
    for line in plain.splitlines():
        match = _ENHANCED.match(line.strip())
        enhanced = enhanced or (match[1] if match else "")
        words.append(line.strip()[match.end() if match else 0 :].strip())
    shown = _UNPRINTABLE.sub(" ", " ".join(word for word in words if word)).strip()
    return SmtpReply(code=code, enhanced=enhanced, text=shown[:MAX_TEXT])
