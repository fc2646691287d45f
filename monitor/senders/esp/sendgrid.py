"""SendGrid, v3 Mail Send.

Source: github.com/twilio/sendgrid-oai, spec/yaml/tsg_mail_v3.yaml and tsg_scopes_v3.yaml;
www.twilio.com/docs/sendgrid/api-reference/mail-send.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from monitor.core.campaigns import Letter
from monitor.core.errors import TransportRefusedError
from monitor.senders.esp.http_api import Answer, Request, text_at
from monitor.senders.esp.letters import take_apart
from monitor.senders.esp.receipts import Receipt, usable_id
from monitor.senders.esp.service import SECRET, Service, Tracking


@dataclass(frozen=True, kw_only=True)
class SendGrid(Service):
    """Takes JSON, and writes the message anew; our Message-ID stays."""

    NAME: ClassVar[str] = "SendGrid"
    HOSTS: ClassVar[Mapping[str, str]] = {
        "global": "https://api.sendgrid.com",
        "eu": "https://api.eu.sendgrid.com",
    }
    KEY_REMEDY: ClassVar[str] = (
        "Make an API key with Mail Send under Settings > API Keys, and verify the sender"
        " under Settings > Sender Authentication."
    )
    HINTS: ClassVar[Mapping[str, str]] = {
        "verified sender identity": "Verify From under Settings > Sender Authentication.",
        "maximum credits": "The plan's mails are used up: raise it, or wait.",
    }

    api_key: str = field(repr=False, metadata=SECRET)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}

    def _message(self, letter: Letter) -> Request:
        parts = take_apart(letter)
        bodies = (("text/plain", parts.text), ("text/html", parts.html))
        body: dict[str, object] = {
            "personalizations": [{"to": [{"email": parts.recipient}]}],
            "from": {"email": parts.from_address, "name": parts.from_name},
            "subject": parts.subject,
            "content": [{"type": kind, "value": value} for kind, value in bodies if value],
            "headers": {"Message-ID": letter.message_id, **parts.named(self.NAME)},
        }
        if parts.reply_to:
            body["reply_to"] = {"email": parts.reply_to}
        if self.tracking is Tracking.OFF:
            body["tracking_settings"] = {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
            }
        return Request.of_json("/v3/mail/send", body, self._headers())

    def _receipt(self, answer: Answer) -> Receipt | None:
        """The answer is empty; the id stands in a header."""
        found = usable_id(answer.headers.get("X-Message-Id", ""))
        return Receipt(found) if found else None

    def _question(self) -> Request:
        return Request("GET", "/v3/scopes", self._headers())

    def _identity(self, answer: Answer) -> str:
        scopes = answer.said.get("scopes") if isinstance(answer.said, dict) else None
        if not isinstance(scopes, list) or "mail.send" not in scopes:
            raise TransportRefusedError(
                f"{self.NAME}: this key may not send mail.", remedy=self.KEY_REMEDY
            )
        return f"{self.NAME}: a key with {len(scopes)} permissions, mail.send among them"

    def _words(self, answer: Answer) -> str:
        return text_at(answer.said, "errors", 0, "message")
