"""Mailgun, v3 messages.mime.

Source: documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages, and
.../quickstart-guide/responses for the codes.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from urllib3.filepost import encode_multipart_formdata

from monitor.core.campaigns import Letter
from monitor.core.errors import BadInputError, TransportRefusedError
from monitor.senders.esp.http_api import Answer, Request, text_at
from monitor.senders.esp.receipts import Receipt, message_id_at
from monitor.senders.esp.service import SECRET, Service, Tracking

_DOMAIN = re.compile(r"[0-9A-Za-z-]{1,63}(\.[0-9A-Za-z-]{1,63}){1,20}")


@dataclass(frozen=True, kw_only=True)
class Mailgun(Service):
    """Takes the letter as it is, and answers with the Message-ID that it bears."""

    NAME: ClassVar[str] = "Mailgun"
    HOSTS: ClassVar[Mapping[str, str]] = {
        "us": "https://api.mailgun.net",
        "eu": "https://api.eu.mailgun.net",
    }
    KEY_REMEDY: ClassVar[str] = (
        "Check the key, the domain and its region (us or eu): a domain is known in one only."
    )
    HINTS: ClassVar[Mapping[str, str]] = {
        "authorized recipients": "Take a domain of your own, or add the seeds to that list.",
        "free accounts": "Set up billing, or add the seeds to the authorized recipients.",
    }
    # A domain's sending key may ask nothing, and is refused as an unknown key would be.
    GREETS: ClassVar[bool] = False

    api_key: str = field(repr=False, metadata=SECRET)
    domain: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if _DOMAIN.fullmatch(self.domain) is None:
            remedy = "Name the sending domain as Mailgun lists it."
            raise BadInputError("domain", self.domain, "is not a domain name", remedy=remedy)

    def _headers(self) -> dict[str, str]:
        pair = b64encode(f"api:{self.api_key}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def _message(self, letter: Letter) -> Request:
        form: list[tuple[str, str | tuple[str, bytes, str]]] = [
            ("to", letter.recipient),
            ("message", ("message.eml", letter.raw, "message/rfc822")),
        ]
        if self.tracking is Tracking.OFF:
            form.append(("o:tracking", "no"))
        body, kind = encode_multipart_formdata(form)
        headers = {"Content-Type": kind, **self._headers()}
        return Request("POST", f"/v3/{self.domain}/messages.mime", headers, body)

    def _receipt(self, answer: Answer) -> Receipt | None:
        return message_id_at(answer, "id")

    def _question(self) -> Request:
        return Request("GET", f"/v4/domains/{self.domain}", self._headers())

    def _identity(self, answer: Answer) -> str:
        state = text_at(answer.said, "domain", "state")
        if state != "active":
            raise TransportRefusedError(
                f"{self.NAME}: the domain {self.domain} is {state or 'unknown'}, not active.",
                remedy="Verify its DNS records under Sending > Domain settings.",
            )
        return f"{self.NAME}: domain {self.domain}, {state}"

    def _words(self, answer: Answer) -> str:
        return text_at(answer.said, "message")
