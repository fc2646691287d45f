"""Resend, POST /emails.

Source: github.com/resend/resend-openapi, resend.yaml (1.5.0); resend.com/docs/api-reference/errors,
.../rate-limit and docs/dashboard/emails/idempotency-keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar, Final

from monitor.core.campaigns import Letter
from monitor.senders.esp.http_api import Answer, Request, text_at
from monitor.senders.esp.letters import mailbox, take_apart
from monitor.senders.esp.receipts import Receipt, receipt_at
from monitor.senders.esp.service import SECRET, Service

_ONLY_SENDS: Final = "restricted_api_key"
_UNKNOWN_KEY: Final = frozenset({"missing_api_key", "invalid_api_key"})


@dataclass(frozen=True, kw_only=True)
class Resend(Service):
    """Takes JSON, writes the message anew; Amazon SES, which it sends by, changes Message-ID.

    Our Message-ID is the idempotency key too: a letter that is handed over again after an
    error of theirs is not sent twice within a day. So nothing that changes between attempts
    stands in the request, such as the Date.
    """

    NAME: ClassVar[str] = "Resend"
    HOSTS: ClassVar[Mapping[str, str]] = {"": "https://api.resend.com"}
    KEY_REMEDY: ClassVar[str] = (
        "Make an API key under resend.com/api-keys, and verify the From domain under /domains."
    )
    HINTS: ClassVar[Mapping[str, str]] = {
        "testing emails": "Verify a domain at resend.com/domains, and send from it.",
        "not verified": "Verify the From domain at resend.com/domains.",
    }
    TRACKING_REMEDY: ClassVar[str] = "Switch it off for the domain, at resend.com/domains."

    api_key: str = field(repr=False, metadata=SECRET)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}

    def _message(self, letter: Letter) -> Request:
        parts = take_apart(letter)
        body: dict[str, object] = {
            "from": mailbox(parts.from_name, parts.from_address),
            "to": [parts.recipient],
            "subject": parts.subject,
            "headers": {"Message-ID": letter.message_id, **parts.named(self.NAME)},
        }
        wanted = {"text": parts.text, "html": parts.html, "reply_to": parts.reply_to}
        body |= {name: value for name, value in wanted.items() if value}
        once = {"Idempotency-Key": letter.message_id[:256], **self._headers()}
        return Request.of_json("/emails", body, once)

    def _receipt(self, answer: Answer) -> Receipt | None:
        return receipt_at(answer, "id")

    def _question(self) -> Request:
        return Request("GET", "/domains", self._headers())

    def _identity(self, answer: Answer) -> str:
        domains = answer.said.get("data") if isinstance(answer.said, dict) else None
        names = [text_at(one, "name") for one in domains] if isinstance(domains, list) else []
        return f"{self.NAME}: {', '.join(name for name in names[:5] if name) or 'no domain yet'}"

    def _words(self, answer: Answer) -> str:
        words, name = text_at(answer.said, "message"), text_at(answer.said, "name")
        return f"{words} ({name})" if name else words

    def is_unknown_key(self, answer: Answer) -> bool:
        return text_at(answer.said, "name") in _UNKNOWN_KEY

    def _who(self, answer: Answer) -> str:
        """A key that may only send cannot ask who it is, which proves it."""
        if text_at(answer.said, "name") == _ONLY_SENDS:
            return f"{self.NAME}: a key that may only send"
        return super()._who(answer)

    def _is_busy(self, answer: Answer) -> bool:
        """Of conflicts, only this one passes: the same letter is being taken right now."""
        is_under_way = text_at(answer.said, "name") == "concurrent_idempotent_requests"
        return super()._is_busy(answer) or (answer.status == HTTPStatus.CONFLICT and is_under_way)
