"""A small IMAP client that sends many commands in one write and reads their replies.

Round trips decide how long reading takes, and the standard library's client waits for
each reply. RFC 3501 section 5.5 allows pipelining: a server runs commands in order where
their results could be taken for one another's (two SEARCHes, anything and an EXAMINE),
and may run others side by side. Dovecot does: it answers a SEARCH amid a FETCH.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from monitor.core.seeds import Endpoint, Security
from monitor.mailboxes import imap_refusals as refusals
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.imap_stream import ConnectionLostError, ImapStream
from monitor.mailboxes.imap_wire import Response

MAX_DATA = 200_000  # responses to one batch
MAX_CHALLENGES = 4  # of one sign-in


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
        return refusals.is_passing(self.end)

    def code(self, name: str) -> str | None:
        """Return the value of response code *name*, tagged or not."""
        for response in (self.end, *self.data):
            if response.code == name:
                return response.value
        return None


class ImapClient:
    """One connection, which `imap_sign_in` signs in. Not safe between threads.

    Args:
        address: whose mailbox it is, for the words of errors.
        is_serial: send a command only once the one before it is answered.

    Raises:
        MailboxLockedError: a wrong certificate.
        MailboxBusyError: no server, or no greeting.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        address: str,
        *,
        timeout_s: float,
        ca_file: str | None = None,
        is_serial: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._tag = 0
        self._is_bad_meant = False  # commands refused as BAD are so one by one, too
        self.is_serial = is_serial
        self.is_new = True  # nothing has been asked since sign-in
        self.secrets: tuple[str, ...] = ()  # how they begin; a server may repeat them
        self.capabilities: frozenset[str] = frozenset()
        self.stream = ImapStream(endpoint, address, timeout_s=timeout_s, ca_file=ca_file)
        try:
            self._greet()
            if endpoint.security is Security.STARTTLS:
                self._start_tls()
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
        if self.is_serial or len(commands) < 2:
            return [self._send([command], max_literal)[0] for command in commands]
        try:
            replies = self._send(commands, max_literal)
        except ConnectionLostError as error:
            error.was_amid_batch = True
            raise
        if self._is_bad_meant or all(reply.end.word != "BAD" for reply in replies):
            return replies
        return self._one_by_one(commands, replies, max_literal)

    def converse(self, command: bytes, answer: Callable[[Response], bytes]) -> Reply:
        """Send one command, and *answer* each of the server's challenges.

        Raises: as `batch`.
        """
        reply = Reply()
        tag = self._next_tag()
        self.stream.begin()
        self.stream.write(f"{tag} ".encode() + command + b"\r\n")
        for _ in range(MAX_CHALLENGES + 1):
            reply = Reply()
            if self._finish({tag: reply}, 0, may_ask=True):
                return reply
            self.stream.write(answer(reply.data[-1]) + b"\r\n")
        raise self.stream.busy("the server's questions at sign-in have no end")

    def idle(self, seconds: float, see: Callable[[Response], bool]) -> bool:
        """Let the server tell what is new until *see* returns True or time is over (RFC 2177).

        Returns:
            whether *see* returned True.

        Raises: as `batch`.
        """
        tag, reply = self._next_tag(), Reply()
        self.stream.begin()
        self.stream.write(f"{tag} IDLE\r\n".encode())
        if self._finish({tag: reply}, 0, may_ask=True):
            raise self.stream.busy(f"it does not wait for new mail ({self.said(reply.end)})")
        ends = monotonic() + seconds
        is_seen = any(map(see, reply.data))
        while not is_seen and self.stream.has_more(ends - monotonic()):
            self.stream.begin()
            response = self.stream.response()
            if response.tag == tag or response.word == "BYE":
                raise self.stream.lost("the server ended the wait")
            is_seen = see(response)
        reply = Reply()
        self.stream.begin()
        self.stream.write(b"DONE\r\n")
        self._finish({tag: reply}, 0)
        return any(map(see, reply.data)) or is_seen

    def close(self) -> None:
        """End the connection. Never raises."""
        self.stream.close()

    def said(self, response: Response) -> str:
        """Return the server's words, unless they repeat our secrets (some do)."""
        text = f"[{response.code}] {response.text}" if response.code else response.text
        flat = "".join(text.split()).replace("\\", "")
        if any(secret and secret in flat for secret in self.secrets):
            return "its words are not shown, they repeat the password"
        return wire.shown(text or "refused without a reason").rstrip(".")

    def _send(self, commands: Sequence[bytes], max_literal: int) -> list[Reply]:
        pending = {self._next_tag(): Reply(kind=_kind(command)) for command in commands}
        replies = list(pending.values())
        lines = (b"%b %b\r\n" % (t.encode(), c) for t, c in zip(pending, commands, strict=True))
        self.stream.begin()
        self.stream.write(b"".join(lines))
        self._finish(pending, max_literal)
        return replies

    def _one_by_one(
        self, commands: Sequence[bytes], replies: list[Reply], max_literal: int
    ) -> list[Reply]:
        """Ask again, in case the server does not take several commands in one write.

        Every command only reads, so that asking twice is harmless.
        """
        again = [self._send([command], max_literal)[0] for command in commands]
        before, now = (sum(r.end.word == "BAD" for r in some) for some in (replies, again))
        self.is_serial = now < before
        self._is_bad_meant = not self.is_serial
        return again

    def _greet(self) -> None:
        greeting = self.stream.response()
        if greeting.tag != "*" or greeting.word not in {"OK", "PREAUTH"}:
            problem = f"{self._endpoint} does not greet as IMAP ({self.said(greeting)})"
            is_throttling = greeting.word == "BYE" and refusals.is_throttling(greeting)
            raise self.stream.throttled(problem) if is_throttling else self.stream.busy(problem)
        if greeting.code == "CAPABILITY":
            self.capabilities = wire.capabilities(greeting.value)

    def _start_tls(self) -> None:
        if not self.batch([b"STARTTLS"])[0].is_ok:
            raise self.stream.busy(f"{self._endpoint} does not start TLS")
        self.stream.start_tls()
        self.capabilities = frozenset()  # as told before TLS they are worth nothing

    def _next_tag(self) -> str:
        self._tag += 1
        return f"S{self._tag}"

    def _finish(
        self, pending: dict[str, Reply], max_literal: int, *, may_ask: bool = False
    ) -> bool:
        """Read until each of *pending* has its end, giving each what it asked for.

        Returns False where the server asks for more first, if it *may_ask*.
        """
        for _ in range(MAX_DATA):
            if not pending:
                return True
            response = self.stream.response(max_literal=max_literal)
            if response.tag in pending:
                pending.pop(response.tag).end = response
            elif response.tag == "*":
                self._sort_in(response, pending)
            elif response.tag == "+" and may_ask:
                next(iter(pending.values())).data.append(response)
                return False
            elif response.tag.startswith("S") and response.word:
                raise self.stream.busy("the server answers what was not asked")
        raise self.stream.busy("the server sends too many responses")

    def _sort_in(self, response: Response, pending: dict[str, Reply]) -> None:
        if response.word == "BYE":
            problem = f"the server said goodbye ({self.said(response)})"
            is_throttling = refusals.is_throttling(response)
            raise self.stream.throttled(problem) if is_throttling else self.stream.lost(problem)
        if response.word == "CAPABILITY":
            self.capabilities = wire.capabilities(response.items)
        if response.about in pending:
            pending[response.about].data.append(response)
            return
        open_ = list(pending.values())
        word = "SEARCH" if response.word == "ESEARCH" else response.word
        asked = (reply for reply in open_ if reply.kind == word)
        next(asked, open_[0]).data.append(response)


def _kind(command: bytes) -> str:
    """Return the word of the data that *command* asks for."""
    words = command.split(b" ", 2)
    return words[words[0] == b"UID"].decode("latin-1")
