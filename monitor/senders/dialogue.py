"""What is said and heard on one connection, without the connection: RFC 2920 and 3030.

A dialogue takes letters, tells which bytes may go out now, is told how many went out, and
matches each answer to its command. So it can be tested answer by answer, without a socket.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from monitor.core.campaigns import Letter, Outcome
from monitor.senders.replies import RawReply, read_reply
from monitor.senders.transaction import CLOSING, Attempt, Line, Result, Verb

DEPTH: Final = 16  # letters on their way where whole messages may follow each other


class Ended(NamedTuple):
    """An attempt is over."""

    ticket: int
    letter: Letter
    result: Result


class _Said(NamedTuple):
    """A command that awaits its answer, and where it stands in all that we say."""

    verb: Verb
    attempt: Attempt
    start_at: int
    end_at: int


class Dialogue:
    """One connection after its greeting, hello and sign-in.

    With PIPELINING, the commands of a transaction go out in one write; with CHUNKING too,
    so does the message, and the next one after it. Without CHUNKING, the answer to DATA is
    waited for, as RFC 2920 demands; the next letter's commands then follow the message.

    Args:
        extensions: what the server said in answer to EHLO, lower case.
    """

    def __init__(self, extensions: Iterable[str]) -> None:
        self._extensions = frozenset(extensions)
        self._pipelines = "pipelining" in self._extensions
        self._chunks = self._pipelines and "chunking" in self._extensions
        self._attempts: deque[Attempt] = deque()  # not ended, oldest first
        self._unsaid: deque[Attempt] = deque()  # those with something still to be said
        self._awaited: deque[_Said] = deque()
        self._open: Attempt | None = None  # may have left a transaction open in the server
        self._out = bytearray()
        self._queued = self._written = 0  # bytes, since the beginning
        self.completed = 0  # letters that the server judged, on this connection
        self.is_over = False  # the connection is of no more use

    @property
    def room(self) -> int:
        """How many letters may be begun now."""
        depth = DEPTH if self._chunks else 2 if self._pipelines else 1
        return 0 if self.is_over else depth - len(self._attempts)

    @property
    def in_flight(self) -> int:
        """How many letters were begun and have not ended."""
        return len(self._attempts)

    @property
    def outgoing(self) -> bytearray:
        """What may be sent now; report with `sent` what was."""
        return self._out

    def begin(self, ticket: int, letter: Letter) -> None:
        """Put a letter on its way; its addresses can be sent as they are."""
        attempt = Attempt(ticket, letter, chunks=self._chunks)
        self._attempts.append(attempt)
        self._unsaid.append(attempt)
        self._say_what_may_be_said()

    def sent(self, count: int) -> None:
        """Learn that the next *count* bytes went out."""
        self._written += count
        del self._out[:count]

    def answer(self, raw: RawReply) -> list[Ended]:
        """Take the server's next reply; return the attempts that it ends."""
        said = self._awaited.popleft() if self._awaited else None
        if said is None or self._written <= said.start_at:
            return self._closing(raw) if raw.code == CLOSING else self.lost("it spoke out of turn")
        attempt = said.attempt
        result = attempt.answer(said.verb, raw)
        if raw.code == CLOSING:
            return self._closing(raw)
        if problem := self._problem(said, raw):
            return self.lost(problem)
        is_last_word = said.verb is Verb.DATA or not self._pipelines
        if attempt.refusal and is_last_word and not attempt.go_on:
            attempt.todo.clear()
        ended = self._end(attempt, result or attempt.refusal)
        self._say_what_may_be_said()
        return ended

    def lost(self, problem: str, *, is_silent: bool = False) -> list[Ended]:
        """End all attempts, because the connection ended; say what is known of each."""
        self.is_over = True
        attempts, self._attempts = self._attempts, deque()
        return [
            Ended(a.ticket, a.letter, self._doubt(a, problem, is_silent=is_silent))
            for a in attempts
        ]

    def _say_what_may_be_said(self) -> None:
        while self._unsaid:
            attempt = self._unsaid[0]
            while attempt.todo and self._may_say(attempt):
                self._say(attempt)
            if attempt.todo:
                return
            self._unsaid.popleft()

    def _may_say(self, attempt: Attempt) -> bool:
        if attempt.todo[0] is Verb.BODY:
            return attempt.go_on
        return self._pipelines or not self._awaited

    def _say(self, attempt: Attempt) -> None:
        verb = attempt.todo[0]
        if verb is Verb.MAIL and self._open is not None:
            # The letter before was refused, or may yet be; its recipients must not stay.
            verb, self._open = Verb.RSET, None
        else:
            attempt.todo.popleft()
        words = attempt.words(verb, self._extensions)
        said = _Said(verb, attempt, self._queued, self._queued + len(words))
        if verb is Verb.MAIL:
            self._open = attempt
        elif verb in {Verb.BODY, Verb.BDAT}:
            attempt.start_at, attempt.end_at = said.start_at, said.end_at
            self._open = None if verb is Verb.BODY else attempt
        self._out += words
        self._queued = said.end_at
        self._awaited.append(said)
        attempt.unanswered += 1

    def _end(self, attempt: Attempt, result: Result | None) -> list[Ended]:
        if attempt.todo or attempt.unanswered or result is None:
            return []
        if result.outcome is Outcome.ACCEPTED and self._open is attempt:
            self._open = None
        self._attempts.popleft()  # answers come in order, so this one is the oldest
        self.completed += 1
        return [Ended(attempt.ticket, attempt.letter, result)]

    def _problem(self, said: _Said, raw: RawReply) -> str:
        """Say why the connection is of no more use after this answer, or ""."""
        if said.end_at > self._written:
            return "the server answered before it had the message"
        if said.verb is Verb.RSET and raw.code != 250:
            return "the server does not end a transaction that failed"
        refusal = said.attempt.refusal
        if refusal is not None and refusal.line is Line.LOST:
            return "the server gave an answer that fits no command"
        return ""

    def _closing(self, raw: RawReply) -> list[Ended]:
        """After 421 nothing that was said later has been done (RFC 5321 section 3.8)."""
        self.is_over = True
        reply = read_reply(*raw)
        behind = Result(Outcome.DEFERRED, reply, line=Line.LOST, was_begun=False, is_of_server=True)
        attempts, self._attempts = self._attempts, deque()
        return [Ended(a.ticket, a.letter, a.refusal or behind) for a in attempts]

    def _doubt(self, attempt: Attempt, problem: str, *, is_silent: bool) -> Result:
        if attempt.refusal is not None:
            return attempt.refusal
        if attempt.end_at is not None and self._written >= attempt.end_at:
            words = f"the message was sent, but not confirmed: {problem}"
            return Result(Outcome.UNCERTAIN, problem=words, line=Line.LOST)
        line = Line.SILENT if is_silent else Line.LOST
        if attempt.start_at is not None and self._written > attempt.start_at:
            words = f"the connection broke within the message: {problem}"
            return Result(Outcome.FAILED, problem=words, line=Line.LOST)
        words = f"the connection ended early: {problem}"
        return Result(Outcome.FAILED, problem=words, line=line, was_begun=attempt.was_answered)
