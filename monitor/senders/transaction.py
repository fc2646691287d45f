"""One mail transaction on an open connection, and what its outcome means."""

import re
import smtplib
from dataclasses import dataclass
from enum import StrEnum

from monitor.core.campaigns import Letter, Outcome, SmtpReply
from monitor.senders.replies import BoundedReplies, ServerSilentError, read_reply

_EOL = re.compile(rb"\r\n|\r|\n")
CLOSING = 421  # the server says this, and closes the connection (RFC 5321 section 3.8)
GO_ON = 354


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
    was_begun: bool = True  # the server had answered at least one of our commands
    is_of_server: bool = False  # refused before the recipient was named


def transact(connection: BoundedReplies, letter: Letter) -> Result:
    """Offer *letter*, and hand its body over if the server wants it. Never raises."""
    data = _with_crlf(letter.raw)
    try:
        refusal = _offer(connection, letter, len(data))
        if refusal is None:
            return _hand_over(connection, data)
        if refusal.reply is not None and refusal.reply.code != CLOSING:
            connection.rset()
    except ServerSilentError as error:
        return Result(Outcome.FAILED, problem=str(error), line=Line.SILENT)
    except OSError as error:
        return Result(
            Outcome.FAILED, problem=f"the connection ended early: {error}", line=Line.LOST
        )
    return refusal


def judge(reply: SmtpReply, *, was_begun: bool = True, is_of_server: bool = False) -> Result:
    """Say what a refusing reply means."""
    line = Line.LOST if reply.code == CLOSING else Line.KEPT
    outcome = Outcome.DEFERRED if 400 <= reply.code < 500 else Outcome.REJECTED
    if 400 <= reply.code < 600:
        return Result(outcome, reply, line=line, was_begun=was_begun, is_of_server=is_of_server)
    return Result(Outcome.FAILED, reply, "an answer that fits no command", Line.LOST)


def _offer(connection: BoundedReplies, letter: Letter, size: int) -> Result | None:
    """Go as far as DATA; return what stopped it, or None if the server awaits the body."""
    options = [f"SIZE={size}"] if connection.has_extn("size") else []
    if not letter.raw.isascii() and connection.has_extn("8bitmime"):
        options.append("BODY=8BITMIME")
    try:
        code, text = connection.mail(letter.mail_from, options)
    except smtplib.SMTPServerDisconnected as error:
        line = Line.SILENT if isinstance(error, ServerSilentError) else Line.LOST
        return Result(Outcome.FAILED, problem=str(error), line=line, was_begun=False)
    if code != 250:
        return judge(read_reply(code, text), was_begun=code != CLOSING, is_of_server=True)
    code, text = connection.rcpt(letter.recipient)
    if code not in {250, 251, 252}:
        return judge(read_reply(code, text))
    code, text = connection.docmd("DATA")
    return None if code == GO_ON else judge(read_reply(code, text))


def _hand_over(connection: BoundedReplies, data: bytes) -> Result:
    """Send the body and its end, and read the verdict.

    Without the end of data a server must not deliver (RFC 5321 section 4.1.1.4), so a
    body that was cut off has not been handed over. From the last byte on, only the reply
    tells.
    """
    stuffed = data.replace(b"\r\n.", b"\r\n..")
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    end = b".\r\n" if stuffed.endswith(b"\r\n") or not stuffed else b"\r\n.\r\n"
    sock = connection.sock
    if sock is None:
        return Result(Outcome.FAILED, problem="the connection is closed", line=Line.LOST)
    try:
        sock.sendall(stuffed + end)
    except OSError as error:
        return _cut_off(connection, error)
    try:
        code, text = connection.getreply()
    except smtplib.SMTPServerDisconnected as error:
        problem = f"the message was sent, but not confirmed: {error}"
        return Result(Outcome.UNCERTAIN, problem=problem, line=Line.LOST)
    reply = read_reply(code, text)
    return Result(Outcome.ACCEPTED, reply) if 200 <= code < 300 else judge(reply)


def _cut_off(connection: BoundedReplies, error: OSError) -> Result:
    """The body did not get through; the server may have said why before it hung up."""
    problem = f"the connection broke within the message: {error}"
    try:
        code, text = connection.getreply()
    except OSError:
        return Result(Outcome.FAILED, problem=problem, line=Line.LOST)
    connection.close()
    refused = judge(read_reply(code, text))
    return Result(refused.outcome, refused.reply, problem, Line.LOST)


def _with_crlf(raw: bytes) -> bytes:
    """Bare CR or LF could end the message early at a server that takes them for line ends."""
    return _EOL.sub(b"\r\n", raw)
