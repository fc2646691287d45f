"""Tell people by e-mail, through the same transport that carries the tests."""

from email.utils import format_datetime

from monitor.core.campaigns import Handover, Letter, Outcome
from monitor.core.clock import Clock
from monitor.core.errors import (
    AgainLaterError,
    InDoubtError,
    PersonNeededError,
    SeedwatchError,
    TransportBusyError,
    TransportRefusedError,
)
from monitor.core.ports import Alert, Transport
from monitor.evidence import mime, stamp

FROM_NAME = "Seedwatch"


class EmailAlerter:
    """`core.ports.Alerter` by e-mail.

    Args:
        sender_address: From and envelope sender; bounces come back to it.
    """

    def __init__(self, transport: Transport, sender_address: str, clock: Clock) -> None:
        self._transport = transport
        self._sender = sender_address
        self._clock = clock

    # A server that takes a message twice delivers it twice, whatever its Message-ID.
    is_repeatable = False

    def tell(self, alert: Alert) -> str:
        """Send *alert* as one message; return the server's reply.

        Raises:
            AgainLaterError: the mail server could not be reached, wants it later, or
                refuses us: a sign-in or certificate will be mended, and the alert is owed.
            InDoubtError: nobody knows whether the server took it.
            PersonNeededError: this recipient is refused for good, or an address is none.
        """
        letter = self._compose(alert)
        try:
            [handover] = self._transport.send([letter])
        except TransportRefusedError as refusal:
            raise AgainLaterError(refusal.what, remedy=refusal.remedy) from refusal
        error = _error(alert.to, handover)
        if error is not None:
            raise error
        return str(handover.reply or "taken")

    def _compose(self, alert: Alert) -> Letter:
        recipient = mime.check_address("to", alert.to)
        sender = mime.check_address("from_address", self._sender)
        raw = b"".join(
            (
                mime.mailbox_field("From", FROM_NAME, sender, called="from_name"),
                mime.raw_field("To", recipient),
                mime.text_field("Subject", alert.message.subject, called="subject"),
                mime.raw_field("Date", format_datetime(self._clock.now())),
                mime.raw_field("Message-ID", stamp.check_message_id(alert.message_id)),
                _thread(alert),
                # No out-of-office answers, and no answers to those (RFC 3834).
                mime.raw_field("Auto-Submitted", "auto-generated"),
                mime.raw_field("X-Auto-Response-Suppress", "All"),
                _way_out(alert.message.unsubscribe_url),
                _body(alert),
            )
        )
        return Letter(alert.message_id, sender, recipient, raw)


def _body(alert: Alert) -> bytes:
    told = alert.message
    return mime.body(
        told.text,
        told.html,
        seed=alert.id,
        pictures={image.name: image.png for image in told.images},
        files=told.files,
    )


def _way_out(url: str) -> bytes:
    """How to hear no more of it. One click is promised only over https (RFC 8058 section 3.1)."""
    if not url:
        return b""
    one_click = mime.raw_field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    listed = mime.link_field("List-Unsubscribe", url)
    return listed + (one_click if url.startswith("https://") else b"")


def _thread(alert: Alert) -> bytes:
    """Point to the incident's first alert, so that mail programs show them together."""
    if not alert.in_reply_to or alert.in_reply_to == alert.message_id:
        return b""
    first = stamp.check_message_id(alert.in_reply_to)
    return mime.raw_field("In-Reply-To", first) + mime.raw_field("References", first)


def _error(to: str, handover: Handover) -> SeedwatchError | None:
    said = handover.reply or handover.problem
    match handover.outcome:
        case Outcome.ACCEPTED:
            return None
        case Outcome.UNCERTAIN:
            return InDoubtError(
                f"nobody knows whether the alert for {to} went out: {said}.",
                remedy="Ask whether it arrived; it is not sent again.",
            )
        case Outcome.REJECTED if handover.is_of_server:
            return AgainLaterError(
                f"the mail server refuses us: {said}.", remedy="Check the server for alerts."
            )
        case Outcome.REJECTED:
            return PersonNeededError(
                f"{to} refused the alert: {said}.", remedy="Check this route's address."
            )
        case Outcome.DEFERRED:
            return AgainLaterError(f"{to} does not take the alert now: {said}.")
        case Outcome.FAILED:
            return TransportBusyError(f"the alert for {to} could not be handed over: {said}.")
