"""Tell machines: a POST that its receiver can verify, and know again if it comes twice.

Signed as Standard Webhooks has it (standardwebhooks.com); docs/webhooks.md is for receivers.
"""

import hashlib
import json
import ssl
from functools import cached_property
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from monitor import __version__
from monitor.bounded_http import retry_after
from monitor.core.addresses import split_url
from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError, PersonNeededError
from monitor.core.ports import Alert
from monitor.guarded import (
    Answer,
    BadCertificateError,
    Bounds,
    GetError,
    Network,
    NotAllowedError,
    TimeLimit,
    exchange,
)

MAX_ANSWER = 64 * 1024
TIMEOUT_S = 10.0  # for the whole exchange
MAX_SAID = 120  # characters of the answer that are kept
GONE = 410


class WebhookAlerter:
    """`core.ports.Alerter` by signed HTTP POST. Safe between threads.

    Args:
        allowed: networks that are not public and may be talked to, also without TLS.
        ca_file: CA certificates to trust besides the usual ones.
    """

    # A receiver knows a delivery by its webhook-id, so that twice is once.
    is_repeatable = True

    def __init__(
        self,
        clock: Clock,
        *,
        allowed: tuple[Network, ...] = (),
        ca_file: Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._clock = clock
        self._allowed = allowed
        self._ca_file = ca_file
        self._timeout_s = timeout_s

    def tell(self, alert: Alert) -> str:
        """Post *alert*; return the status and the beginning of the answer.

        Raises:
            AgainLaterError: no answer, or one other than 2xx, 3xx and 410.
            PersonNeededError: the endpoint is gone, redirects, or is none that we may ask.
        """
        host = _host(alert.to)
        body = _body(alert, self._clock)
        headers = self._headers(alert, body)
        context = self._context if alert.to.startswith("https") else None
        bounds = Bounds(MAX_ANSWER, allowed=self._allowed, context=context)
        try:
            with TimeLimit(self._timeout_s) as limit:
                answer = exchange(
                    "POST",
                    alert.to,
                    headers=headers,
                    body=body.encode("ascii"),
                    limit=limit,
                    bounds=bounds,
                )
        except GetError as error:
            _explain(host, error)
        return _judged(alert.to, answer)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """Made once: reading the certificates takes longer than a delivery."""
        context = ssl.create_default_context()
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        return context

    def _headers(self, alert: Alert, body: str) -> dict[str, str]:
        """Sign with every secret that is valid now, the newest first."""
        now = self._clock.now()
        name = delivery_id(alert.message_id)
        try:
            signatures = [Webhook(secret).sign(name, now, body) for secret in alert.secrets]
        except (ValueError, EmptyWebhookSecretError):
            signatures = []
        if not signatures:
            raise PersonNeededError(
                "this webhook has no secret to sign with.",
                remedy="Make one: seedwatch routes rotate ID",
            )
        return {
            "Content-Type": "application/json",
            "User-Agent": f"Seedwatch/{__version__}",
            "Accept-Encoding": "identity",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def delivery_id(message_id: str) -> str:
    """Return the webhook-id of an alert: the same for every attempt, and without a full stop.

    (What is signed is id.timestamp.body, so that one in the id could move the seams.)
    """
    return "msg_" + hashlib.sha256(message_id.encode("utf-8", "replace")).hexdigest()[:32]


def _body(alert: Alert, clock: Clock) -> str:
    """The envelope, in ASCII. What has no form for machines goes as text."""
    message = alert.message
    data = dict(message.payload) or {"subject": message.subject, "text": message.text}
    envelope = {
        "type": message.event,
        "timestamp": (alert.owed_at or clock.now()).isoformat(),
        "data": data,
    }
    return json.dumps(envelope, default=str, separators=(",", ":"))


def _host(url: str) -> str:
    """Whom we ask, as errors name it: path and query may be secrets."""
    parts = split_url(url)
    if parts is None:
        raise PersonNeededError(
            "the address of this webhook is no web address.", remedy="Remove it and add it anew."
        )
    return str(parts.hostname)


def _explain(host: str, error: GetError) -> NoReturn:
    """Say what became of a request without an answer, and whether it may work later."""
    if isinstance(error, NotAllowedError):
        raise PersonNeededError(
            f"the webhook at {host} is not asked: {error}.",
            remedy="If it is yours, name its network in [alerts] allow_private.",
        ) from error
    if isinstance(error, BadCertificateError):
        raise AgainLaterError(
            f"the webhook at {host} cannot be trusted: {error}.",
            remedy="If its CA is your own, name it in [alerts] ca_file.",
        ) from error
    raise AgainLaterError(f"the webhook at {host} cannot be reached: {error}.") from error


def _judged(url: str, answer: Answer) -> str:
    host = _host(url)
    said = f"{answer.status} {_beginning(answer.body)}".strip()
    if 200 <= answer.status < 300:
        return said
    if 300 <= answer.status < 400:
        raise PersonNeededError(
            f"the webhook at {host} sends us on to {_target(url, answer)} ({answer.status}), and"
            " redirects are not followed.",
            remedy="Give the address that answers by itself.",
        )
    if answer.status == GONE:
        raise PersonNeededError(
            f"the webhook at {host} is gone ({said}).", remedy="Remove it, or mend its receiver."
        )
    raise AgainLaterError(
        f"the webhook at {host} answered {said}.", retry_after=retry_after(answer.headers)
    )


def _target(url: str, answer: Answer) -> str:
    """The host that an answer redirects to; the rest of that address is a stranger's words."""
    try:
        parts = split_url(urljoin(url, answer.headers.get("Location", "").strip()))
    except ValueError:
        parts = None
    return str(parts.hostname) if parts else "what is no web address"


def _beginning(body: bytes) -> str:
    text = body[: 8 * MAX_SAID].decode("utf-8", "replace")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_SAID else line[: MAX_SAID - 1] + "…"
