"""A small IMAP client that sends many commands in one write and reads their replies.

Round trips decide how long reading takes, and the standard library's client waits for
each reply. RFC 3501 section 5.5 allows pipelining: a server runs commands in order where
their results could be taken for one another's (two SEARCHes, anything and an EXAMINE),
and may run others side by side. Dovecot does: it answers a SEARCH amid a FETCH.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.core.errors import MailboxLockedError
from monitor.core.seeds import Account, Security
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.imap_stream import ImapStream
from monitor.mailboxes.imap_wire import Response

MAX_DATA = 200_000  # responses to one batch

# A refusal that passes: the codes of RFC 5530, and the words of servers that give none.
_PASSING = {"UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG", "OVERQUOTA", "CORRUPTION", "THROTTLED"}
_PASSING_WORDS = ("try again", "temporar", "too many", "not connected", "unavailable", "throttl")


@dataclass(slots=True)
class Reply:
    """What one command brought: its data, and the tagged response that ends it."""

    kind: str = ""  # the data that the command asks for: FETCH, SEARCH, LIST
    data: list[Response] = field(default_factory=list)
    end: Response = field(default_factory=lambda: Response("", ""))

    @property
    def is_ok(self) -> bool:
        return self.end.word == "OK"

    @property
    def is_passing_refusal(self) -> bool:
        """Is this a NO that says: later?"""
        words = self.end.text.lower()
        return self.end.word == "NO" and (
            self.end.code in _PASSING or any(word in words for word in _PASSING_WORDS)
        )

    def code(self, name: str) -> str | None:
        """Return the value of response code *name*, tagged or not."""
        for response in (self.end, *self.data):
            if response.code == name:
                return response.value
        return None


class ImapClient:
    """One connection, signed in to one account. Not safe between threads.

    Raises:
        MailboxLockedError: sign-in refused (the caller knows the remedy), or a wrong
            certificate.
        MailboxBusyError: no server, no greeting, or a refusal that passes.
    """

    def __init__(self, account: Account, *, timeout_s: float, ca_file: str | None = None) -> None:
        self._account = account
        self._tag = 0
        self.capabilities: frozenset[str] = frozenset()
        self.stream = ImapStream(
            account.server, account.address, timeout_s=timeout_s, ca_file=ca_file
        )
        try:
            self._greet()
            if account.server.security is Security.STARTTLS:
                self._start_tls()
            self._login()
        except BaseException:
            self.stream.close()
            raise

    @property
    def round_trips(self) -> int:
        """How often we waited for the server, its greeting included."""
        return 1 + self.stream.round_trips

    def batch(self, commands: Sequence[bytes], *, max_literal: int = 64 * 1024) -> list[Reply]:
        """Send *commands* in one write; return the reply of each, in order.

        Args:
            commands: without tags and line ends.
            max_literal: bytes that one part of a message may have.

        Raises:
            ConnectionLostError: the connection is gone; a new one may do.
            MailboxBusyError: no answer in time, too much of it, or none that makes sense.
        """
        pending = {self._next_tag(): Reply(kind=_kind(command)) for command in commands}
        replies = list(pending.values())
        lines = (b"%b %b\r\n" % (t.encode(), c) for t, c in zip(pending, commands, strict=True))
        self.stream.begin()
        self.stream.write(b"".join(lines))
        self._finish(pending, max_literal)
        return replies

    def close(self) -> None:
        """End the connection. Never raises."""
        self.stream.close()

    def said(self, response: Response) -> str:
        """Return the server's words, unless they repeat our secrets (some do)."""
        text = f"[{response.code}] {response.text}" if response.code else response.text
        flat = "".join(text.split()).replace("\\", "")
        password = "".join(self._account.password.split()).replace("\\", "")
        if any(part and part in flat for part in (password[:4], self._sasl_plain()[:12])):
            return "its words are not shown, they repeat the password"
        return wire.shown(text or "refused without a reason").rstrip(".")

    def _greet(self) -> None:
        greeting = self.stream.response()
        if greeting.tag != "*" or greeting.word not in {"OK", "PREAUTH"}:
            where, said = self._account.server, self.said(greeting)
            raise self.stream.busy(f"{where} does not greet as IMAP ({said})")
        if greeting.code == "CAPABILITY":
            self.capabilities = wire.capabilities(greeting.value)

    def _start_tls(self) -> None:
        if not self.batch([b"STARTTLS"])[0].is_ok:
            raise self.stream.busy(f"{self._account.server} does not start TLS")
        self.stream.start_tls()
        self.capabilities = frozenset()  # as told before TLS they are worth nothing

    def _login(self) -> None:
        account = self._account
        text = account.username + account.password
        if text.isascii() and text.isprintable() and "LOGINDISABLED" not in self.capabilities:
            line = b"LOGIN %b %b" % (wire.quoted(account.username), wire.quoted(account.password))
            self.capabilities = frozenset()
            reply = self.batch([line])[0]
        else:
            reply = self._authenticate_plain()
        if reply.is_ok:
            self.capabilities |= wire.capabilities(reply.code("CAPABILITY") or "")
            return
        said = self.said(reply.end)
        if reply.end.word == "NO" and not reply.is_passing_refusal:
            raise MailboxLockedError(self.stream.words(f"sign-in refused ({said})"))
        raise self.stream.busy(f"no sign-in for now ({said})")

    def _authenticate_plain(self) -> Reply:
        """Sign in by SASL PLAIN (RFC 4616), which carries any character."""
        has_initial = "SASL-IR" in self.capabilities
        self.capabilities = frozenset()
        if has_initial:
            return self.batch([f"AUTHENTICATE PLAIN {self._sasl_plain()}".encode()])[0]
        tag = self._next_tag()
        self.stream.begin()
        self.stream.write(f"{tag} AUTHENTICATE PLAIN\r\n".encode())
        answer = self.stream.response()
        if answer.tag != "+":
            return Reply(end=answer)
        self.stream.write(f"{self._sasl_plain()}\r\n".encode())
        reply = Reply()
        self._finish({tag: reply}, 0)
        return reply

    def _sasl_plain(self) -> str:
        plain = f"\0{self._account.username}\0{self._account.password}"
        return base64.b64encode(plain.encode("utf-8", "replace")).decode("ascii")

    def _next_tag(self) -> str:
        self._tag += 1
        return f"S{self._tag}"

    def _finish(self, pending: dict[str, Reply], max_literal: int) -> None:
        """Read until each of *pending* has its end, giving each what it asked for."""
        for _ in range(MAX_DATA):
            if not pending:
                return
            response = self.stream.response(max_literal=max_literal)
            if response.tag in pending:
                pending.pop(response.tag).end = response
            elif response.tag == "*":
                self._sort_in(response, pending)
            elif response.tag.startswith("S") and response.word:
                raise self.stream.busy("the server answers what was not asked")
        raise self.stream.busy("the server sends too many responses")

    def _sort_in(self, response: Response, pending: dict[str, Reply]) -> None:
        if response.word == "BYE":
            raise self.stream.lost(f"the server said goodbye ({self.said(response)})")
        if response.word == "CAPABILITY":
            self.capabilities = wire.capabilities(response.items)
        open_ = list(pending.values())
        asked = (reply for reply in open_ if reply.kind == response.word)
        next(asked, open_[0]).data.append(response)


def _kind(command: bytes) -> str:
    """Return the word of the data that *command* asks for."""
    words = command.split(b" ", 2)
    return words[words[0] == b"UID"].decode("latin-1")
