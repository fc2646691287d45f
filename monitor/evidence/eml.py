"""A message file as a mail program saves it, read as a campaign."""

from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr

from monitor.core.campaigns import Campaign
from monitor.core.errors import BadInputError
from monitor.evidence import mime

MAX_BYTES = 5 * 1024 * 1024
MAX_FIELD = 10_000  # characters of one header; the library takes ages over longer ones
MAX_NAME = 200  # characters, of the campaign and of its sender
# Headers of the sender's own that a filter may look at; all else is written anew.
KEPT = ("list-unsubscribe", "list-unsubscribe-post", "list-id", "reply-to", "feedback-id")
# What the email package raises on hostile bytes (RecursionError is a RuntimeError).
_FOREIGN = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(MessageError, RuntimeError, TypeError, ValueError),
)


def read_campaign(raw: bytes, *, name: str) -> Campaign:
    """Read a campaign from the bytes of an .eml file, which may be anything.

    Attachments and inline images are left behind: a placement test carries the words and
    the links.

    Raises:
        BadInputError: too large, no From address, no subject, no text, or no message.
    """
    known_as = "".join(c if c.isprintable() else "\ufffd" for c in name[:MAX_NAME])
    if len(raw) > MAX_BYTES:
        raise BadInputError(
            "message",
            known_as,
            "is larger than 5 MB",
            remedy="Test the message without attachments.",
        )
    try:
        return _read(raw, known_as)
    except _FOREIGN as error:
        raise BadInputError(
            "message",
            known_as,
            f"cannot be understood ({type(error).__name__})",
            remedy="Save it once more from your mail program, as an .eml file.",
        ) from error


def _read(raw: bytes, name: str) -> Campaign:
    message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(raw)
    fields = _fields(message)
    display, address = _sender(fields)
    subject = next((v for k, v in fields if k.lower() == "subject"), "").strip()
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
        headers=tuple((k, v) for k, v in fields if k.lower() in KEPT),
    )


def _fields(message: EmailMessage) -> list[tuple[str, str]]:
    """The headers that are read, decoded, in their order; the others are left alone."""
    found = []
    for name, raw in message.raw_items():
        if name.lower() not in {"from", "subject", *KEPT}:
            continue
        if len(raw) > MAX_FIELD:
            raise BadInputError(
                name, raw, "is too long", remedy=f"Keep it below {MAX_FIELD} characters."
            )
        found.append((name, str(message.policy.header_fetch_parse(name, raw))))
    return found


def _sender(fields: list[tuple[str, str]]) -> tuple[str, str]:
    """Name and address that the message is from."""
    written = next((v for k, v in fields if k.lower() == "from"), "")
    display, address = parseaddr(written)
    if "@" not in address:
        raise BadInputError(
            "From", address, "is not an address", remedy="The message needs a From: header."
        )
    if len(display) > MAX_NAME:
        raise BadInputError(
            "From",
            display,
            f"has a name of more than {MAX_NAME} characters",
            remedy="Shorten the name.",
        )
    return display, mime.check_address("From", address)


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
        return _storable(payload.decode(charset, "replace"))
    except (LookupError, ValueError):  # no such charset, or one that is no charset of texts
        return _storable(payload.decode("utf-8", "replace"))


def _storable(text: str) -> str:
    """Without NUL and halves of characters, which not every database takes."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
