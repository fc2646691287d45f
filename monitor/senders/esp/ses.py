"""Amazon SES, API v2.

Source: docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html and
API_GetAccount.html (botocore's model of sesv2, 2019-09-27); .../dg/header-fields.html for what
becomes of Message-ID and Date.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar, Final
from urllib.parse import urlsplit

from monitor.core.campaigns import Letter
from monitor.core.clock import Clock, SystemClock
from monitor.core.errors import BadInputError, TransportRefusedError
from monitor.senders.esp.http_api import Answer, Request, text_at
from monitor.senders.esp.receipts import Receipt, receipt_at
from monitor.senders.esp.service import SECRET, Service
from monitor.senders.esp.sigv4 import Signer

_REGION = re.compile(r"[a-z]{2}(-[a-z]{3,10}){1,2}-[0-9]{1,2}")
# 403 as well, but of keys that are known: AccessDeniedException.
_UNKNOWN_KEY: Final = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
        "ExpiredTokenException",
        "RequestExpired",
        "OptInRequired",
    }
)


@dataclass(frozen=True, kw_only=True)
class AmazonSes(Service):
    """Takes the letter as it is, but for Message-ID and Date, which it writes anew.

    Args:
        session_token: of temporary credentials.
        configuration_set: sent with; it decides on tracking and on the addresses used.
        clock: dates the signature.
    """

    NAME: ClassVar[str] = "Amazon SES"
    HOSTS: ClassVar[Mapping[str, str]] = {}
    KEY_REMEDY: ClassVar[str] = (
        "Check access key, secret, region and this machine's clock; the key needs ses:SendEmail,"
        " and ses:GetAccount for the check."
    )
    HINTS: ClassVar[Mapping[str, str]] = {
        "not verified": "Verify it in this region; in the sandbox, the seeds' addresses too.",
        "sendingpaused": "See the account's reputation in the SES console.",
        "accountsuspended": "See the AWS Support Center.",
    }
    TRACKING_REMEDY: ClassVar[str] = "Name a configuration set without open and click tracking."

    access_key_id: str
    secret_access_key: str = field(repr=False, metadata=SECRET)
    session_token: str = field(repr=False, default="", metadata=SECRET)
    configuration_set: str = ""
    clock: Clock = field(repr=False, default_factory=SystemClock)

    def __post_init__(self) -> None:
        if _REGION.fullmatch(self.region) is None:
            remedy = "Name the region of the identities, such as eu-west-1."
            raise BadInputError("region", self.region, "is no AWS region", remedy=remedy)
        if not (self.access_key_id.isascii() and self.access_key_id.isalnum()):
            raise BadInputError("access_key_id", "", "is not a key", remedy=self.KEY_REMEDY)
        super().__post_init__()

    @property
    def hosts(self) -> Mapping[str, str]:
        return {self.region: f"https://email.{self.region}.amazonaws.com"}

    def _signed(self, request: Request) -> Request:
        signer = Signer(
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            region=self.region,
            service="ses",
            session_token=self.session_token,
        )
        home = urlsplit(self.home)
        headers = {"Host": home.netloc, **request.headers}
        signed = signer.sign(
            request.method, home.path + request.path, headers, request.body, self.clock.now()
        )
        return Request(request.method, request.path, signed, request.body)

    def _message(self, letter: Letter) -> Request:
        body: dict[str, object] = {
            "Destination": {"ToAddresses": [letter.recipient]},
            "Content": {"Raw": {"Data": b64encode(letter.raw).decode()}},
        }
        if self.configuration_set:
            body["ConfigurationSetName"] = self.configuration_set
        return self._signed(Request.of_json("/v2/email/outbound-emails", body, {}))

    def _receipt(self, answer: Answer) -> Receipt | None:
        own = "email" if self.region == "us-east-1" else self.region
        return receipt_at(answer, "MessageId", domain=f"{own}.amazonses.com")

    def _question(self) -> Request:
        return self._signed(Request("GET", "/v2/email/account", {}))

    def _identity(self, answer: Answer) -> str:
        account = answer.said if isinstance(answer.said, dict) else {}
        if account.get("SendingEnabled") is False:
            raise TransportRefusedError(
                f"{self.NAME}: sending is switched off for this account in {self.region}.",
                remedy="See Account dashboard > Reputation in the SES console.",
            )
        a_day = text_at(account, "SendQuota", "Max24HourSend")
        mode = "production" if account.get("ProductionAccessEnabled") is True else "sandbox"
        return f"{self.NAME}: {self.region}, {mode}, {a_day or '?'} messages a day"

    def _words(self, answer: Answer) -> str:
        words = text_at(answer.said, "message") or text_at(answer.said, "Message")
        kind = _kind(answer)
        return f"{words} ({kind})" if kind else words

    def is_unknown_key(self, answer: Answer) -> bool:
        is_refusal = answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        return is_refusal and _kind(answer) in _UNKNOWN_KEY


def _kind(answer: Answer) -> str:
    """The name of an error, as in `MessageRejected:http://internal.amazon.com/...`."""
    kind = answer.headers.get("x-amzn-ErrorType", "") or text_at(answer.said, "__type")
    return kind.partition(":")[0].rpartition("#")[2][:60]
