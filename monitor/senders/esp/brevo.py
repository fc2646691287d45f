"""Brevo (Sendinblue), v3 smtp/email.

Source: developers.brevo.com/reference/sendtransacemail and /reference/getaccount. What
it does to letters beyond ASCII in names and headers: anymail.dev, docs/esps/brevo.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.header import Header
from typing import ClassVar, Final

from monitor.core.campaigns import Letter
from monitor.senders.esp.http_api import Answer, Request, text_at
from monitor.senders.esp.letters import UnfitError, take_apart
from monitor.senders.esp.receipts import Receipt, message_id_at
from monitor.senders.esp.service import SECRET, Service

_SPECIALS: Final = frozenset('()<>[]:;@\\,."')  # RFC 5322 section 3.2.3


@dataclass(frozen=True, kw_only=True)
class Brevo(Service):
    """Takes JSON, writes the message anew, and gives it a Message-ID of its own."""

    NAME: ClassVar[str] = "Brevo"
    HOSTS: ClassVar[Mapping[str, str]] = {"": "https://api.brevo.com"}
    KEY_REMEDY: ClassVar[str] = (
        "Make an API key (not an SMTP key) under SMTP & API, and allow this machine's address"
        " under Security > Authorized IPs."
    )
    HINTS: ClassVar[Mapping[str, str]] = {
        "unrecognised ip": "Allow this machine's address under Security > Authorized IPs.",
        "sender": "Verify the sender or its domain under Senders, Domains & Dedicated IPs.",
        "not_enough_credits": "The plan's mails are used up.",
    }
    TRACKING_REMEDY: ClassVar[str] = (
        "Switch it off for the account, under Transactional > Settings."
    )

    api_key: str = field(repr=False, metadata=SECRET)

    def _headers(self) -> dict[str, str]:
        return {"api-key": self.api_key}

    def _message(self, letter: Letter) -> Request:
        parts = take_apart(letter)
        if any(_is_encoded(value) for _, value in parts.headers):
            raise UnfitError(f"{self.NAME} would send a header beyond ASCII as raw bytes")
        sender = {"email": parts.from_address}
        if parts.from_name:
            sender["name"] = _name(parts.from_name)
        body: dict[str, object] = {
            "sender": sender,
            "to": [{"email": parts.recipient}],
            "subject": parts.subject,
            "headers": {"Message-ID": letter.message_id, **parts.named(self.NAME)},
        }
        bodies = {"textContent": parts.text, "htmlContent": parts.html}
        body |= {name: value for name, value in bodies.items() if value}
        if parts.reply_to:
            body["replyTo"] = {"email": parts.reply_to}
        return Request.of_json("/v3/smtp/email", body, self._headers())

    def _receipt(self, answer: Answer) -> Receipt | None:
        return message_id_at(answer, "messageId")

    def _question(self) -> Request:
        return Request("GET", "/v3/account", self._headers())

    def _identity(self, answer: Answer) -> str:
        who = text_at(answer.said, "companyName") or text_at(answer.said, "email")
        return f"{self.NAME}: account {who}" if who else ""

    def _words(self, answer: Answer) -> str:
        words, code = text_at(answer.said, "message"), text_at(answer.said, "code")
        return f"{words} ({code})" if code else words


def _name(name: str) -> str:
    """Encode a name that the service would drop: one with both specials and other letters."""
    if name.isascii() or _SPECIALS.isdisjoint(name):
        return name
    return Header(name, "utf-8", maxlinelen=10_000).encode()


def _is_encoded(value: str) -> bool:
    """Does a header hold letters beyond ASCII? The service decodes what is encoded."""
    return not value.isascii() or ("=?" in value and "?=" in value)
