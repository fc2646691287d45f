"""Hand letters over by SMTP: one message a seed, many over one kept connection."""

import re
import smtplib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from monitor.core.campaigns import Handover, Letter, Outcome
from monitor.core.errors import SeedwatchError, TransportRefusedError
from monitor.core.seeds import Endpoint
from monitor.senders.connections import Client, connect, tls_context
from monitor.senders.replies import BoundedReplies, read_reply
from monitor.senders.routes import Route
from monitor.senders.transaction import Line, Result, judge, transact

MAX_OPEN: Final = 20  # connections kept at a time, when mail goes to many servers
PARTING_S: Final = 2.0  # how long a server may take to answer QUIT

# Without the characters that would need quoting: smtplib would understand them otherwise.
_ENVELOPE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,320}")


class SmtpTransport:
    """`core.ports.Transport` over SMTP. Keeps nothing between calls; safe between threads.

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

    def send(self, letters: Sequence[Letter]) -> "Handovers":
        """Hand over *letters*, as `core.ports.Transport` says.

        Where all go to one server, the connection is opened before this returns, so that
        a refusal is known before any letter counts as begun. Where they go to several,
        one that refuses us fails its own letters only, and the others go on.

        What is returned holds connections until the last outcome was asked for, or until
        it is closed (`contextlib.closing`) or let go of, be it before the first one.

        Raises:
            TransportRefusedError: the one server refuses us: certificate, sign-in.
        """
        handovers = Handovers(self._client, [(self._destination(one), one) for one in letters])
        handovers.open_single()
        return handovers

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
    """One call of `send`: its connections, and what is known of its servers.

    No generator: one that was never asked for anything has nothing to clean up by, and
    here a connection is open by then.
    """

    def __init__(self, client: Client, letters: Sequence[tuple[Endpoint | str, Letter]]) -> None:
        self._open: dict[Endpoint, BoundedReplies] = {}
        self._client = client
        self._letters = iter(letters)
        self._down: dict[Endpoint, Result] = {}
        servers = {place for place, _ in letters if isinstance(place, Endpoint)}
        self._single = next(iter(servers)) if len(servers) == 1 else None

    def open_single(self) -> None:
        """Connect ahead of the first letter, if there is one server only."""
        if self._single is not None:
            self._connection(self._single)

    def __next__(self) -> Handover:
        try:
            place, letter = next(self._letters)
            if isinstance(place, Endpoint):
                result = self._hand_over(place, letter)
            else:
                result = Result(Outcome.FAILED, problem=place)
        except BaseException:  # StopIteration is the usual one
            self.close()
            raise
        return Handover(
            letter.message_id, result.outcome, result.reply, result.problem, result.is_of_server
        )

    def close(self) -> None:
        """End all connections; letters that were not handed over stay where they are."""
        self._letters = iter(())
        while self._open:
            _part(self._open.popitem()[1])

    def __del__(self) -> None:
        self.close()

    def _hand_over(self, server: Endpoint, letter: Letter) -> Result:
        """Try on the kept connection; if the server had ended that one, on a new one."""
        is_kept = server in self._open
        result = self._try(server, letter)
        if is_kept and not result.was_begun and result.line is Line.LOST:
            result = self._try(server, letter)
        return result

    def _try(self, server: Endpoint, letter: Letter) -> Result:
        connection = self._connection(server)
        if connection is None:
            return self._down[server]
        result = transact(connection, letter)
        if result.line is not Line.KEPT:
            self._open.pop(server).close()
        if result.line is Line.SILENT:
            problem = f"{server} stopped answering at an earlier letter"
            self._down[server] = Result(Outcome.FAILED, problem=problem)
        return result

    def _connection(self, server: Endpoint) -> BoundedReplies | None:
        """Return the kept connection or a new one; None if the server is down for us.

        A server that could not be used is not tried again in this call: each letter would
        wait for it once more. The next attempt is the caller's.
        """
        if server in self._open or server in self._down:
            return self._open.get(server)
        while len(self._open) >= MAX_OPEN:
            _part(self._open.pop(next(iter(self._open))))
        try:
            self._open[server] = connect(server, self._client)
        except TransportRefusedError as error:
            if server == self._single:
                raise
            self._down[server] = Result(Outcome.FAILED, problem=str(error))
        except smtplib.SMTPResponseException as error:
            reply = read_reply(error.smtp_code, error.smtp_error)
            self._down[server] = judge(reply, is_of_server=True)
        except (OSError, UnicodeError) as error:  # UnicodeError: the host name is none
            self._down[server] = Result(Outcome.FAILED, problem=f"cannot reach {server}: {error}")
        return self._open.get(server)


def _part(connection: BoundedReplies) -> None:
    """Say QUIT, briefly; what was handed over is safe whatever the server answers."""
    connection.timeout = min(float(connection.timeout), PARTING_S)
    try:
        connection.quit()
    except OSError:
        connection.close()
