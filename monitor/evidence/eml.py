"""A message file as a mail program saves it, read as a campaign."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr

from monitor.core.campaigns import Campaign
from monitor.core.errors import BadInputError

MAX_BYTES = 5 * 1024 * 1024
# Headers of the sender's own that a filter may look at; all else is written anew.
KEPT = ("list-unsubscribe", "list-unsubscribe-post", "list-id", "reply-to", "feedback-id")


def read_campaign(raw: bytes, *, name: str) -> Campaign:
    """Read a campaign from the bytes of an .eml file.

    Attachments and inline images are left behind: a placement test carries the words and
    the links.

    Raises:
        BadInputError: too large, no From address, no subject or no text.
    """
    if len(raw) > MAX_BYTES:
        raise BadInputError(
            "message", name, "is larger than 5 MB", remedy="Test the message without attachments."
        )
    message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(raw)
    display, address = parseaddr(str(message.get("From", "")))
    if "@" not in address:
        raise BadInputError(
            "From", address, "is not an address", remedy="The message needs a From: header."
        )
    subject = str(message.get("Subject", "")).strip()
    if not subject:
        raise BadInputError(
            "Subject", subject, "is empty", remedy="The message needs a Subject: header."
        )
    text, html = _body(message, "plain"), _body(message, "html")
    if not text and not html:
        raise BadInputError(
            "message", name, "has no text", remedy="It needs a text/plain or text/html part."
        )
    return Campaign(
        name=name,
        from_address=address,
        from_name=display,
        subject=subject,
        text=text,
        html=html,
        headers=tuple((k, str(v)) for k, v in message.items() if k.lower() in KEPT),
    )


def _body(message: EmailMessage, kind: str) -> str:
    """The decoded part of that kind, or "". What its charset cannot say is replaced."""
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        return payload.decode(charset, "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")
