"""Which sending service a transport goes by, by name."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Final

from monitor.core.errors import BadInputError
from monitor.core.providers import nearest
from monitor.senders.esp.brevo import Brevo
from monitor.senders.esp.mailchimp import Mailchimp
from monitor.senders.esp.mailgun import Mailgun
from monitor.senders.esp.postmark import Postmark
from monitor.senders.esp.resend import Resend
from monitor.senders.esp.sendgrid import SendGrid
from monitor.senders.esp.service import Service, Tracking
from monitor.senders.esp.ses import AmazonSes
from monitor.senders.esp.sparkpost import SparkPost

KINDS: Final[Mapping[str, type[Service]]] = {
    "brevo": Brevo,
    "mailchimp": Mailchimp,
    "mailgun": Mailgun,
    "postmark": Postmark,
    "resend": Resend,
    "sendgrid": SendGrid,
    "ses": AmazonSes,
    "sparkpost": SparkPost,
}
ESPS: Final = tuple(KINDS)
_OURS: Final = frozenset({"timeout_s", "clock", "known"})  # not for a configuration to set


def open_transport(kind: str, options: Mapping[str, str], *, timeout_s: float) -> Service:
    """Return the transport of a sending service; nothing is connected to yet.

    Args:
        kind: one of `ESPS`.
        options: as `option_names` lists them; those that are empty count as left out.

    Raises:
        BadInputError: no such kind or option, or one that is missing or cannot be used.
            A value that may be a secret is never shown.
    """
    if kind not in KINDS:
        raise BadInputError("kind", kind, "is no sending service", remedy=nearest(kind, ESPS))
    made = KINDS[kind]
    known = {one.name: one for one in fields(made) if one.name not in _OURS}
    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    for name in given:
        if name not in known:
            raise BadInputError(name, "", f"is no option of {kind}", remedy=nearest(name, known))
    for name, one in known.items():
        if _is_needed(one) and name not in given:
            raise BadInputError(name, "", f"is missing for {kind}", remedy=made.KEY_REMEDY)
    if "tracking" in given:
        given["tracking"] = _tracking(given["tracking"])
    return made(timeout_s=timeout_s, **given)


def option_names(kind: str) -> dict[str, bool]:
    """Return the options of a kind of service; True for those that must be given."""
    return {one.name: _is_needed(one) for one in fields(KINDS[kind]) if one.name not in _OURS}


def _is_needed(one: "Field[Any]") -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _tracking(value: str) -> Tracking:
    try:
        return Tracking(value)
    except ValueError as error:
        remedy = f"Choose one of: {', '.join(Tracking)}."
        raise BadInputError("tracking", value, "is not known", remedy=remedy) from error
