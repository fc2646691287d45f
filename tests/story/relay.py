"""The mail server of somebody who tries Seedwatch: takes all mail, passes it on by domain."""

import asyncio
import smtplib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from aiosmtpd.smtp import SMTP, AuthenticatorType, Envelope, Session

from monitor.core.seeds import Endpoint, Security
from monitor.lab.lab import Lab

PATIENCE_S = 10.0
AGAIN_S = 0.05


class Relay:
    """Runs from its making until `stop`.

    Args:
        authenticator: of whoever signs in; None where nobody can.
    """

    def __init__(self, lab: Lab, authenticator: AuthenticatorType | None = None) -> None:
        self._lab = lab
        self._authenticator = authenticator
        started: Future[Endpoint] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)), name="relay"
        )
        self._thread.start()
        self.endpoint = started.result(PATIENCE_S)

    async def _serve(self, started: "Future[Endpoint]") -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(
            lambda: SMTP(
                self,
                hostname="relay.example",
                loop=self._loop,
                authenticator=self._authenticator,
                auth_require_tls=False,
            ),
            "127.0.0.1",
            0,
        )
        host, port = server.sockets[0].getsockname()
        started.set_result(Endpoint(host, port, Security.PLAIN))
        await self._stop.wait()
        server.close()

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks it up by this name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        return await asyncio.to_thread(self._pass_on, envelope)

    def _pass_on(self, envelope: Envelope) -> str:
        (recipient,) = envelope.rcpt_tos
        target = self._lab.smtp_route(recipient.rpartition("@")[2])
        try:
            with smtplib.SMTP(target.host, target.port, timeout=PATIENCE_S) as onward:
                onward.sendmail(envelope.mail_from or "", [recipient], envelope.original_content)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = error.recipients[recipient]
            return f"{code} {text.decode()}"
        return "250 2.0.0 passed on"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)


@contextmanager
def relaying(lab: Lab, authenticator: AuthenticatorType | None = None) -> Iterator[Relay]:
    """A relay to *lab*, until the end of the block."""
    relay = Relay(lab, authenticator)
    try:
        yield relay
    finally:
        relay.stop()


def eventually(holds: Callable[[], bool], *, within_s: float = PATIENCE_S) -> bool:
    """Ask again and again until *holds* does; False if it has not in time."""
    between = threading.Event()
    return any(holds() or between.wait(AGAIN_S) for _ in range(int(within_s / AGAIN_S)))
