"""Read a server's answers: bounded in lines, bytes and time, whatever the server does."""

import re
import smtplib
import time
from collections import deque
from typing import NamedTuple

from monitor.core.campaigns import SmtpReply

MAX_REPLY = 64 * 1024
MAX_LINES = 200
MAX_TEXT = 1000

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")
_CODE = re.compile(rb"[2-5][0-9][0-9](?=[ \r-]|$)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]+")


class ServerSilentError(smtplib.SMTPServerDisconnected):
    """No complete answer within the time allowed."""


class NotSmtpError(smtplib.SMTPServerDisconnected):
    """The answer is no SMTP, or longer than any honest one; the connection was closed."""


class RawReply(NamedTuple):
    """One complete reply as it came; `text` has the lines without codes, joined by newlines."""

    code: int
    text: bytes


class ReplyReader:
    """Makes replies of the bytes that a server sends, in whatever pieces they come."""

    def __init__(self) -> None:
        self.is_broken = False  # the server sent what is no SMTP, or endless
        self._pending = b""
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def has_part(self) -> bool:
        """Is there a beginning of a reply?"""
        return bool(self._pending or self._lines)

    def feed(self, packet: bytes) -> list[RawReply]:
        """Return the replies that *packet* completes. Never raises: see `is_broken`."""
        done: list[RawReply] = []
        *lines, self._pending = (self._pending + packet).split(b"\n")
        for line in lines:
            self._size += len(line)
            if self.is_broken or self._is_bad(line):
                self.is_broken = True
                return done
            self._lines.append(line[4:].strip())
            if line[3:4] != b"-":
                done.append(RawReply(int(line[:3]), b"\n".join(self._lines)))
                self._lines, self._size = [], 0
        self.is_broken = self.is_broken or len(self._pending) > MAX_REPLY
        return done

    def _is_bad(self, line: bytes) -> bool:
        return _CODE.match(line) is None or len(self._lines) == MAX_LINES or self._size > MAX_REPLY


class BoundedReplies(smtplib.SMTP):
    """smtplib's client, reading replies with limits.

    The library waits anew for each packet and reads as many lines as a server cares to
    send, so that a hostile one can hold it for ever. Here a whole reply has `timeout`
    seconds and MAX_REPLY bytes.
    """

    note = ""  # how this connection is protected less than one might think

    # The library's constructor reads the greeting: there is no moment to set these before.
    _reader: ReplyReader | None = None
    _ready: deque[RawReply] | None = None

    @property
    def reader(self) -> ReplyReader:
        """What has been read of a reply so far."""
        if self._reader is None:
            self._reader = ReplyReader()
        return self._reader

    def getreply(self) -> tuple[int, bytes]:
        """Return code and text of the next reply, text lines joined by newlines.

        Raises:
            ServerSilentError: not in time.
            NotSmtpError: more than the limits, or no SMTP.
            smtplib.SMTPServerDisconnected: the connection is gone.
        """
        deadline = time.monotonic() + float(self.timeout)
        if self._ready is None:
            self._ready = deque()
        while not self._ready:
            if self.reader.is_broken:
                self.close()
                raise NotSmtpError("the answer is not SMTP, or endless")
            self._ready.extend(self.reader.feed(self._packet(deadline)))
        return self._ready.popleft()

    @property
    def has_unread(self) -> bool:
        """Has the server said more than it was asked?"""
        return bool(self._ready) or self.reader.has_part or self.reader.is_broken

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
