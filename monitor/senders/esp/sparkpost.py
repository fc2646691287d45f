"""SparkPost (Bird), v1 transmissions.

Source: github.com/SparkPost/developers.sparkpost.com, content/api/transmissions.apib and
account.apib.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from monitor.core.campaigns import Letter
from monitor.core.errors import TransportRefusedError
from monitor.senders.esp.http_api import Answer, Request, text_at
from monitor.senders.esp.letters import UnfitError, take_apart
from monitor.senders.esp.receipts import Receipt, RefusedLetterError, receipt_at
from monitor.senders.esp.service import SECRET, Service, Tracking

_OVER_LIMIT: Final = 420  # its own code for a sending limit: hourly, daily, of the sandbox


@dataclass(frozen=True, kw_only=True)
class SparkPost(Service):
    """Takes the letter as it is, but fills in what stands in double braces."""

    NAME: ClassVar[str] = "SparkPost"
    HOSTS: ClassVar[Mapping[str, str]] = {
        "us": "https://api.sparkpost.com",
        "eu": "https://api.eu.sparkpost.com",
    }
    KEY_REMEDY: ClassVar[str] = (
        "Make a key with Transmissions: Read/Write, in the region (us or eu) of the account."
    )
    HINTS: ClassVar[Mapping[str, str]] = {
        "invalid domain": "Verify the sending domain of From, in the account's region.",
        "suppress": "The seed is on the suppression list: take it off.",
    }

    api_key: str = field(repr=False, metadata=SECRET)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self.api_key}

    def _message(self, letter: Letter) -> Request:
        parts = take_apart(letter)
        values = (parts.subject, parts.text, parts.html, *(value for _, value in parts.headers))
        if not letter.raw.isascii():
            raise UnfitError("the letter holds bytes that JSON cannot carry as they are")
        if any("{{" in value for value in values):
            raise UnfitError(f"{self.NAME} would fill in the double braces of this letter")
        body: dict[str, object] = {
            "recipients": [{"address": {"email": letter.recipient}}],
            "content": {"email_rfc822": letter.raw.decode("ascii")},
        }
        if self.tracking is Tracking.OFF:
            body["options"] = {"open_tracking": False, "click_tracking": False}
        return Request.of_json("/api/v1/transmissions", body, self._headers())

    def _receipt(self, answer: Answer) -> Receipt | None:
        if text_at(answer.said, "results", "total_accepted_recipients") == "0":
            raise RefusedLetterError(self._words(answer) or "no recipient was accepted")
        return receipt_at(answer, "results", "id")

    def _question(self) -> Request:
        return Request("GET", "/api/v1/account", self._headers())

    def _identity(self, answer: Answer) -> str:
        status = text_at(answer.said, "results", "status")
        who = text_at(answer.said, "results", "company_name")
        who = who or text_at(answer.said, "results", "customer_id")
        if status != "active":
            raise TransportRefusedError(
                f"{self.NAME}: the account {who} is {status or 'unknown'}, not active.",
                remedy="Ask the service what the account lacks.",
            )
        return f"{self.NAME}: account {who}, {status}"

    def _words(self, answer: Answer) -> str:
        words = text_at(answer.said, "errors", 0, "message")
        more = text_at(answer.said, "errors", 0, "description")
        inner = text_at(answer.said, "results", "rcpt_to_errors", 0, "description")
        return ": ".join(part for part in (words, more, inner) if part)

    def _is_busy(self, answer: Answer) -> bool:
        return answer.status == _OVER_LIMIT or super()._is_busy(answer)
