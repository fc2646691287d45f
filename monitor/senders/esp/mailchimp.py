"""Mailchimp Transactional (Mandrill), 1.0 messages/send-raw.

Source: mailchimp.com/developer/transactional/api/messages/send-raw-mime-email and
.../api/users/get-user-info; mailchimp.com/developer/transactional/docs/smtp-integration for
the X-MC headers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from monitor.core.campaigns import Letter
from monitor.senders.esp.http_api import Answer, Request, text_at
from monitor.senders.esp.letters import UnfitError
from monitor.senders.esp.receipts import Receipt, RefusedLetterError, receipt_at
from monitor.senders.esp.service import SECRET, Service, Tracking

_NOT_SENT: Final = frozenset({"rejected", "invalid"})
_ITS_FAULT: Final = frozenset({"GeneralError", "Unknown_Error", "ServiceUnavailable"})


@dataclass(frozen=True, kw_only=True)
class Mailchimp(Service):
    """Takes the letter as it is, "exactly as if it were sent through its SMTP servers".

    The key travels in the body, and every question is a POST. Refusals have the status 500.
    """

    NAME: ClassVar[str] = "Mailchimp Transactional"
    HOSTS: ClassVar[Mapping[str, str]] = {"": "https://mandrillapp.com/api/1.0"}
    KEY_REMEDY: ClassVar[str] = "Make a key under Settings > SMTP & API Info of Transactional."
    HINTS: ClassVar[Mapping[str, str]] = {
        "unsigned": "Verify the From domain, with its DKIM and SPF records, under Sending Domains.",
        "bounce": "The seed is on the rejection denylist: remove it there.",
        "unsub": "The seed is on the rejection denylist: remove it there.",
        "spam": "The seed is on the rejection denylist: remove it there.",
        "custom": "The seed is on the rejection denylist: remove it there.",
        "test-mode": "A test key delivers nothing: make another.",
        "paymentrequired": "Set up billing for the account.",
    }
    # A key can be kept from single calls; its refusal looks like that of an unknown one.
    GREETS: ClassVar[bool] = False

    api_key: str = field(repr=False, metadata=SECRET)

    def _message(self, letter: Letter) -> Request:
        if not letter.raw.isascii():
            raise UnfitError("the letter holds bytes that JSON cannot carry as they are")
        # The service takes headers of this name for itself, and does not send them.
        first = "X-MC-Track: none\r\n" if self.tracking is Tracking.OFF else ""
        body = {
            "key": self.api_key,
            "raw_message": first + letter.raw.decode("ascii"),
            "to": [letter.recipient],
            "async": False,
        }
        return Request.of_json("/messages/send-raw", body, {})

    def _receipt(self, answer: Answer) -> Receipt | None:
        status = text_at(answer.said, 0, "status")
        if status in _NOT_SENT:
            reason = text_at(answer.said, 0, "reject_reason")
            raise RefusedLetterError(f"{status} ({reason})" if reason else status)
        return receipt_at(answer, 0, "_id") if status else None

    def _question(self) -> Request:
        return Request.of_json("/users/info", {"key": self.api_key}, {})

    def _identity(self, answer: Answer) -> str:
        who = text_at(answer.said, "username")
        return f"{self.NAME}: account {who}" if who else ""

    def _words(self, answer: Answer) -> str:
        words, name = text_at(answer.said, "message"), text_at(answer.said, "name")
        return f"{words} ({name})" if name else words

    def is_unknown_key(self, answer: Answer) -> bool:
        is_named = text_at(answer.said, "name") == "Invalid_Key"
        return (is_named and answer.status >= 400) or super().is_unknown_key(answer)

    def _is_refusal(self, answer: Answer) -> bool:
        is_error = text_at(answer.said, "status") == "error"
        is_theirs = text_at(answer.said, "name") in _ITS_FAULT
        return (is_error and not is_theirs) or super()._is_refusal(answer)
