"""Hand letters over by SMTP: one message a seed, many over kept connections."""

import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from monitor.core.campaigns import Handover, Letter
from monitor.core.errors import SeedwatchError
from monitor.core.seeds import Endpoint
from monitor.senders.connections import Client, connect, tls_context
from monitor.senders.crew import Crew, Errand
from monitor.senders.routes import Route
from monitor.senders.transaction import Result
from monitor.senders.wires import Wire

# Without the characters that would need quoting: smtplib would understand them otherwise.
_ENVELOPE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,320}")


class SmtpTransport:
    """`core.ports.WindowedTransport` over SMTP.

    Keeps nothing between calls; safe between threads.

    Args:
        route: tells the server for a recipient address; see `senders/routes.py`.
        hostname: our own name, said in EHLO; the receiving side looks it up.
        timeout_s: for connecting, and for each complete reply.
        username: signs in where it is not empty.
        ca_file: trusted besides the system's authorities.
    Raises:
        BadInputError: `ca_file` cannot be used.
    """

    def __init__(
        self,
        route: Route,
        *,
        hostname: str,
        timeout_s: float,
        username: str = "",
        password: str = "",
        ca_file: Path | None = None,
    ) -> None:
        self._route = route
        self._client = Client(hostname, timeout_s, tls_context(ca_file), username, password)
        self._connections = 1
        self._ignored: frozenset[str] = frozenset()
        self.window = 1

    def at_once(self, *, window: int, connections: int) -> "SmtpTransport":
        """Let `send_many` have *window* letters on their way, over so many connections a server.

        Raises:
            ValueError: there must be at least one of each.
        """
        if window < 1 or connections < 1:
            raise ValueError(f"window {window}, connections {connections}: at least 1")
        self.window, self._connections = window, connections
        return self

    def without(self, extensions: Collection[str]) -> "SmtpTransport":
        """Never use these SMTP extensions, for servers that offer what they cannot do."""
        self._ignored = frozenset(name.lower() for name in extensions)
        return self

    def send(self, letters: Sequence[Letter]) -> "Handovers":
        """Hand over *letters*, as `core.ports.Transport` says: one at a time.

        Where all go to one server, the connection is opened before this returns, so that
        a refusal is known before any letter counts as begun. Where they go to several,
        one that refuses us fails its own letters only, and the others go on.

        What is returned holds connections until the last outcome was asked for, or until
        it is closed (`contextlib.closing`) or let go of, be it before the first one.

        Raises:
            TransportRefusedError: the one server refuses us: certificate, sign-in.
        """
        return self._handovers(letters, window=1, connections=1)

    def send_many(self, letters: Sequence[Letter], *, window: int) -> "Handovers":
        """The same, as `core.ports.WindowedTransport` says: up to *window* letters at a time.

        Raises:
            TransportRefusedError: as `send`.
            ValueError: *window* is less than 1, or more than `self.window`.
        """
        if not 1 <= window <= self.window:
            raise ValueError(f"window {window} is not within 1 and {self.window}")
        return self._handovers(letters, window=window, connections=self._connections)

    def _handovers(
        self, letters: Sequence[Letter], *, window: int, connections: int
    ) -> "Handovers":
        errands = [
            Errand(ticket, self._destination(letter), letter)
            for ticket, letter in enumerate(letters)
        ]
        crew = Crew(self._connect, most=connections)
        handovers = Handovers(crew, errands, window=window)
        handovers.open_single()
        return handovers

    def _connect(self, server: Endpoint) -> Wire:
        return Wire(server, connect(server, self._client), self._ignored)

    def _destination(self, letter: Letter) -> Endpoint | str:
        """The server for a letter, or why there is none."""
        for address in (letter.mail_from or "-", letter.recipient):  # "" sends a bounce: <>
            if _ENVELOPE.fullmatch(address) is None:
                return "an address of the envelope holds characters that cannot be sent"
        try:
            return self._route(letter.recipient)
        except SeedwatchError as error:
            return str(error)


class Handovers(Iterator[Handover]):
    """One call of `send`: letters that go out as outcomes are asked for.

    No generator: one that was never asked for anything has nothing to clean up by, and
    here a connection is open by then.
    """

    def __init__(self, crew: Crew, errands: Sequence[Errand], *, window: int) -> None:
        self._crew = crew
        self._errands = deque(errands)
        self._window = window
        self._known: deque[Handover] = deque()
        servers = {errand.place for errand in errands if isinstance(errand.place, Endpoint)}
        self._single = next(iter(servers)) if len(servers) == 1 else None

    def open_single(self) -> None:
        """Connect ahead of the first letter, if there is one server only."""
        if self._single is not None:
            self._crew.open(self._single)

    def __next__(self) -> Handover:
        try:
            if not self._known:
                self._go_on()
            return self._known.popleft()
        except BaseException:  # StopIteration is the usual one
            self.close()
            raise

    def close(self) -> None:
        """End all connections; letters that were not handed over stay where they are."""
        self._errands.clear()
        self._known.clear()
        self._crew.close()

    def __del__(self) -> None:
        self.close()

    def _go_on(self) -> None:
        """Hand over the letters of the next window."""
        if not self._errands:
            raise StopIteration
        count = min(self._window, len(self._errands))
        errands = [self._errands.popleft() for _ in range(count)]
        results = self._crew.run(errands, is_only_server=self._single is not None)
        self._known.extend(_handover(one.letter, results[one.ticket]) for one in errands)


def _handover(letter: Letter, result: Result) -> Handover:
    return Handover(
        letter.message_id, result.outcome, result.reply, result.problem, result.is_of_server
    )
