"""Postmark, POST /email.

Source: postmarkapp.com/developer/api/email-api, .../api/server-api and .../api/overview, with
the error codes; the user guide "Send email with SMTP" for X-PM-KeepID.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from monitor.core.campaigns import Letter
from monitor.core.errors import TransportRefusedError
from monitor.senders.esp.http_api import Answer, Request, text_at
from monitor.senders.esp.letters import mailbox, take_apart
from monitor.senders.esp.receipts import Receipt, RefusedLetterError, receipt_at
from monitor.senders.esp.service import SECRET, Service, Tracking


@dataclass(frozen=True, kw_only=True)
class Postmark(Service):
    """Takes JSON, and writes the message anew; our Message-ID stays because we ask for it.

    Args:
        stream: the message stream; empty for the server's transactional one.
    """

    NAME: ClassVar[str] = "Postmark"
    HOSTS: ClassVar[Mapping[str, str]] = {"": "https://api.postmarkapp.com"}
    KEY_REMEDY: ClassVar[str] = "Take the server token from the server's API Tokens page."
    HINTS: ClassVar[Mapping[str, str]] = {
        "(error 300)": "Check From and the seed's address.",
        "(error 400)": "Confirm the sender signature or domain of From.",
        "(error 401)": "Confirm the sender signature or domain of From.",
        "(error 405)": "The plan's mails are used up.",
        "(error 406)": "The seed is on the suppression list: reactivate it in the message stream.",
        "(error 412)": "Until the account is approved, it may send to its own domain only.",
    }

    server_token: str = field(repr=False, metadata=SECRET)
    stream: str = ""

    def _headers(self) -> dict[str, str]:
        return {"X-Postmark-Server-Token": self.server_token}

    def _message(self, letter: Letter) -> Request:
        parts = take_apart(letter)
        kept = (("Message-ID", letter.message_id), ("X-PM-KeepID", "true"))
        body: dict[str, object] = {
            "From": mailbox(parts.from_name, parts.from_address),
            "To": parts.recipient,
            "Subject": parts.subject,
            "Headers": [{"Name": n, "Value": value} for n, value in (*kept, *parts.headers)],
        }
        wanted = {
            "TextBody": parts.text,
            "HtmlBody": parts.html,
            "ReplyTo": parts.reply_to,
            "MessageStream": self.stream,
        }
        body |= {name: value for name, value in wanted.items() if value}
        if self.tracking is Tracking.OFF:
            body |= {"TrackOpens": False, "TrackLinks": "None"}
        return Request.of_json("/email", body, self._headers())

    def _receipt(self, answer: Answer) -> Receipt | None:
        """The Message-ID is what Postmark writes where it does not keep ours."""
        if text_at(answer.said, "ErrorCode") not in {"", "0"}:
            raise RefusedLetterError(self._words(answer))
        return receipt_at(answer, "MessageID", domain="mtasv.net")

    def _question(self) -> Request:
        return Request("GET", "/server", self._headers())

    def _identity(self, answer: Answer) -> str:
        name = text_at(answer.said, "Name")
        if text_at(answer.said, "DeliveryType") == "Sandbox":
            raise TransportRefusedError(
                f"{self.NAME}: the server {name!r} is a sandbox, which delivers nothing.",
                remedy="Take the token of a live server.",
            )
        return f"{self.NAME}: server {name}" if name else ""

    def _words(self, answer: Answer) -> str:
        code = text_at(answer.said, "ErrorCode")
        words = text_at(answer.said, "Message")
        return f"{words} (error {code})" if code else words
