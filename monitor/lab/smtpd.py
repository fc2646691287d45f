"""The receiving side of a provider: aiosmtpd in front of its filter."""

import asyncio
import logging
import re
from datetime import timedelta

from aiosmtpd.smtp import SMTP, Envelope, Session

from monitor.lab.connections import Connections
from monitor.lab.delivery import Arrival, Delivery
from monitor.lab.filters import GREYLIST_DELAY, reply_text
from monitor.lab.providers import UNFILTERED_DOMAIN, Profile
from monitor.lab.rules import Action, Rule, Subject
from monitor.lab.world import World

log = logging.getLogger(__name__)
SIZE_LIMIT = 36_700_160  # 35 MiB, as the big providers have it
PLAIN_ADDRESS = re.compile(r"<([\w.+=-]{1,64}@[A-Za-z0-9.-]{1,255})>((?: .*)?)", re.ASCII)
ACCEPTED = "250 2.0.0 OK queued"
AT_RECIPIENT = (Action.RCPT_REJECT, Action.FULL, Action.GREYLIST)


class Receiver:
    """Answers the stages of an SMTP transaction for one provider (aiosmtpd's handler)."""

    def __init__(self, world: World, profile: Profile) -> None:
        self._world = world
        self.profile = profile

    def greet(self) -> str:
        """Count a connection; return what it is refused with, if it is."""
        with self._world.lock:
            self._world.settle()
            self._world.counters[self.profile.id].smtp_connections += 1
            rule = next(self._world.rules(self.profile, Action.SMTP_REFUSE), None)
            return reply_text(rule) if rule else ""

    async def handle_EHLO(  # noqa: N802, aiosmtpd looks it up by this name
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_RCPT(  # noqa: N802
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        with self._world.lock:
            self._world.settle()
            answer = self._refusal(address.lower(), envelope.mail_from or "")
        if answer:
            return answer
        envelope.rcpt_tos.append(address.lower())
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        raw = envelope.original_content or b""
        peer = str(session.peer[0]) if session.peer else ""
        mail_from = "" if envelope.mail_from in {None, "<>"} else str(envelope.mail_from)
        with self._world.lock:
            self._world.settle()
            self._world.counters[self.profile.id].smtp_messages += 1
            deliveries = [
                Delivery(
                    self._world,
                    self.profile,
                    Arrival(mail_from, recipient, raw, session.host_name or "unknown", peer),
                )
                for recipient in envelope.rcpt_tos
            ]
            # One reply stands for all recipients, so one refusal refuses the message.
            refusals = [delivery.refuse() for delivery in deliveries]
            if not any(refusals):
                for delivery in deliveries:
                    delivery.deliver()
        return next((r for r in refusals if r), ACCEPTED)

    async def handle_exception(self, error: Exception) -> str:
        """Answer for what aiosmtpd or we did not foresee, and say in the log what it was."""
        log.error("SMTP session of %s failed", self.profile.id, exc_info=error)
        return f"451 4.3.0 {type(error).__name__}"

    def _refusal(self, recipient: str, mail_from: str) -> str:
        profile = self._world.profile_of(recipient)
        if profile is not self.profile or recipient not in self._world.mailboxes:
            return f"550 5.1.1 <{recipient}> user unknown"
        if recipient.endswith("@" + UNFILTERED_DOMAIN):
            return ""
        domain = mail_from.rpartition("@")[2].lower()
        subject = Subject(recipient=recipient, sender_domains=frozenset((domain,)))
        for rule in self._world.rules(self.profile, *AT_RECIPIENT):
            if not rule.matches(subject, self._world.seed):
                continue
            if rule.action is not Action.GREYLIST or self._is_grey(rule, recipient, mail_from):
                return reply_text(rule)
        return ""

    def _is_grey(self, rule: Rule, recipient: str, mail_from: str) -> bool:
        now = self._world.now()
        first = self._world.greylisted.setdefault((mail_from.lower(), recipient), now)
        wait: timedelta = rule.delay if rule.delay is not None else GREYLIST_DELAY
        return now - first < wait


class ReceiverProtocol(SMTP):
    """One connection; counts itself, and can refuse in place of the greeting."""

    def __init__(self, receiver: Receiver, connections: Connections) -> None:
        self._receiver = receiver
        self._connections = connections
        self._is_refused = False
        super().__init__(
            receiver,
            data_size_limit=SIZE_LIMIT,
            hostname=receiver.profile.host,
            ident="ESMTP ready",
            loop=asyncio.get_running_loop(),
        )

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read everyday addresses fast: the full grammar costs a tenth of a message's time."""
        plain = PLAIN_ADDRESS.fullmatch(arg)
        if plain:
            return plain[1], plain[2]
        try:
            return super()._getaddr(arg)
        except IndexError:  # what Python's grammar does with "<"
            return None, None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._connections.add(transport)
        answer = self._receiver.greet()
        if not answer:
            super().connection_made(transport)
            return
        self._is_refused = True
        transport.write(answer.encode("utf-8", "replace") + b"\r\n")
        transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_refused:
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        return None if self._is_refused else super().eof_received()

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:
            super().data_received(data)


async def serve_smtp(
    world: World, profile: Profile, connections: Connections, host: str
) -> asyncio.Server:
    """Listen on a port that the kernel picks."""
    receiver = Receiver(world, profile)
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: ReceiverProtocol(receiver, connections), host, 0)
