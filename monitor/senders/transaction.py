"""One mail transaction: the commands it is made of, and what each answer means."""

import re
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from monitor.core.campaigns import Letter, Outcome, SmtpReply
from monitor.senders.replies import RawReply, read_reply

_EOL = re.compile(rb"\r\n|\r|\n")
CLOSING: Final = 421  # the server says this, and closes the connection (RFC 5321 section 3.8)
GO_ON: Final = 354
# A longer body is sent only once the server has said yes to its size and its recipient.
AHEAD: Final = 256 * 1024


class Line(StrEnum):
    """What became of the connection."""

    KEPT = "kept"
    LOST = "lost"  # closed or broken: open another one
    SILENT = "silent"  # no answer in time: others would wait as long


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt at one letter ended."""

    outcome: Outcome
    reply: SmtpReply | None = None
    problem: str = ""
    line: Line = Line.KEPT
    was_begun: bool = True  # the server may have acted on one of our commands
    is_of_server: bool = False  # refused before the recipient was named


class Verb(StrEnum):
    """What is said to a server, in the order of a transaction."""

    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "BODY"  # the message and its end; follows 354
    BDAT = "BDAT"  # the message with its length before it (RFC 3030); needs no 354


class Attempt:
    """One letter on its way: what is still to be said, and what was answered."""

    __slots__ = (
        *("body", "end_at", "go_on", "letter", "refusal", "start_at"),
        *("ticket", "todo", "unanswered", "was_answered"),
    )

    def __init__(self, ticket: int, letter: Letter, *, chunks: bool) -> None:
        self.ticket = ticket  # the caller's number for it
        self.letter = letter
        self.body = _with_crlf(letter.raw)
        is_ahead = chunks and len(self.body) <= AHEAD
        last = (Verb.BDAT,) if is_ahead else (Verb.DATA, Verb.BODY)
        self.todo = deque((Verb.MAIL, Verb.RCPT, *last))
        self.unanswered = 0  # commands said whose answer is to come
        self.was_answered = False
        self.go_on = False  # the server awaits the body
        self.refusal: Result | None = None
        self.start_at: int | None = None  # where in all that we say the body starts and ends
        self.end_at: int | None = None

    def words(self, verb: Verb, extensions: frozenset[str]) -> bytes:
        """Return what is to be sent for *verb*."""
        if verb is Verb.MAIL:
            return self._mail(extensions)
        if verb is Verb.RCPT:
            return b"RCPT TO:<%b>\r\n" % self.letter.recipient.encode("ascii")
        if verb is Verb.BDAT:
            return b"BDAT %d LAST\r\n%b" % (len(self.body), self.body)
        if verb is Verb.BODY:
            # To "go on" after the recipient was refused, the answer is an empty message.
            return b".\r\n" if self.refusal else _stuffed(self.body)
        return b"%b\r\n" % verb.encode("ascii")

    def _mail(self, extensions: frozenset[str]) -> bytes:
        options = f" SIZE={len(self.body)}" if "size" in extensions else ""
        if "8bitmime" in extensions and not self.body.isascii():
            options += " BODY=8BITMIME"
        return f"MAIL FROM:<{self.letter.mail_from}>{options}\r\n".encode("ascii")

    def answer(self, verb: Verb, raw: RawReply) -> Result | None:
        """Take the answer to *verb*; return the result if the server took the letter.

        A refusal is kept in `refusal`, the first one only: later ones follow from it.
        """
        self.unanswered -= 1
        if verb is Verb.RSET and raw.code != CLOSING:
            return None  # about the letter before
        if verb is Verb.DATA:
            self.go_on = raw.code == GO_ON
        elif verb in {Verb.BODY, Verb.BDAT} and 200 <= raw.code < 300:
            return self._taken(verb, read_reply(*raw))
        if not _is_yes(verb, raw.code) and self.refusal is None:
            is_early = verb in {Verb.RSET, Verb.MAIL}
            closes = raw.code == CLOSING
            self.refusal = judge(
                read_reply(*raw), was_begun=not (is_early and closes), is_of_server=is_early
            )
        self.was_answered = True
        return None

    def _taken(self, verb: Verb, reply: SmtpReply) -> Result | None:
        if self.refusal is None:
            return Result(Outcome.ACCEPTED, reply)
        if verb is Verb.BDAT:  # it was refused, and then the whole message was taken
            said = self.refusal.reply
            problem = f"the server refused ({said}) and then took the message ({reply})"
            return Result(Outcome.UNCERTAIN, problem=problem)
        return None  # what it took was empty


def judge(reply: SmtpReply, *, was_begun: bool = True, is_of_server: bool = False) -> Result:
    """Say what a refusing reply means."""
    line = Line.LOST if reply.code == CLOSING else Line.KEPT
    outcome = Outcome.DEFERRED if 400 <= reply.code < 500 else Outcome.REJECTED
    if 400 <= reply.code < 600:
        return Result(outcome, reply, line=line, was_begun=was_begun, is_of_server=is_of_server)
    return Result(Outcome.FAILED, reply, "an answer that fits no command", Line.LOST)


def _is_yes(verb: Verb, code: int) -> bool:
    if verb is Verb.DATA:
        return code == GO_ON
    return code in {250, 251, 252} if verb is Verb.RCPT else code == 250


def _stuffed(data: bytes) -> bytes:
    """Double leading dots and add the end of data (RFC 5321 section 4.5.2)."""
    stuffed = data.replace(b"\r\n.", b"\r\n..")
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    end = b".\r\n" if stuffed.endswith(b"\r\n") or not stuffed else b"\r\n.\r\n"
    return stuffed + end


def _with_crlf(raw: bytes) -> bytes:
    """Bare CR or LF could end the message early at a server that takes them for line ends."""
    pairs = raw.count(b"\r\n")
    if raw.count(b"\n") == pairs == raw.count(b"\r"):
        return raw
    return _EOL.sub(b"\r\n", raw)
