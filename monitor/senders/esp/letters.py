"""Take a letter apart, for services that want its parts in JSON and write the message anew."""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default
from email.utils import parseaddr, quote
from typing import Final

from monitor.core.campaigns import Letter

# The service writes these itself, of the parts that it is given.
_ITS_OWN: Final = frozenset(
    {"from", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version", "reply-to"}
)


_FOLD = re.compile(r"[\r\n]+(?=[ \t])")


class UnfitError(Exception):
    """A letter that this service cannot send as it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service needs to write the letter again; no value but the bodies has line ends.

    Name, subject and bodies are decoded, for the service encodes them. Other headers stand as
    in the letter, beyond ASCII in encoded words (RFC 2047), for it passes them on.
    """

    from_name: str
    from_address: str
    recipient: str
    subject: str
    text: str
    html: str
    reply_to: str
    headers: tuple[tuple[str, str], ...]  # the others: X-Seedwatch-Test, List-Unsubscribe, ...

    def named(self, service: str) -> dict[str, str]:
        """Return the headers by name, for a service that takes them so.

        Raises:
            UnfitError: one stands there twice.
        """
        found: dict[str, str] = {}
        for name, value in self.headers:
            if name.lower() in {known.lower() for known in found}:
                raise UnfitError(f"{service} takes the header {name} only once")
            found[name] = value
        return found


def take_apart(letter: Letter) -> Parts:
    """Return the parts of *letter*.

    Raises:
        UnfitError: it holds more than a text and an HTML body, or cannot be read.
    """
    try:
        return _parts(letter, message_from_bytes(letter.raw, policy=default))
    except (ValueError, LookupError, AttributeError) as error:
        raise UnfitError(f"the letter cannot be read ({type(error).__name__})") from error


def _parts(letter: Letter, message: EmailMessage) -> Parts:
    name, address = parseaddr(str(message["From"]))
    bodies = _bodies(message)
    return Parts(
        from_name=name,
        from_address=address,
        recipient=letter.recipient,
        subject=str(message["Subject"] or ""),
        text=bodies.get("text/plain", ""),
        html=bodies.get("text/html", ""),
        reply_to=parseaddr(str(message["Reply-To"] or ""))[1],
        headers=_headers(letter.raw),
    )


def mailbox(name: str, address: str) -> str:
    """Write a mailbox for a service that encodes the name itself."""
    return f'"{quote(name)}" <{address}>' if name else address


def _headers(raw: bytes) -> tuple[tuple[str, str], ...]:
    found = BytesHeaderParser().parsebytes(raw).items()
    return tuple((key, _FOLD.sub("", str(value))) for key, value in found if _is_custom(key))


def _is_custom(name: str) -> bool:
    key = name.lower()
    return key not in _ITS_OWN and not key.startswith("content-")


def _bodies(message: EmailMessage) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in message.walk():
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        if kind not in {"text/plain", "text/html"} or kind in found or part.is_attachment():
            raise UnfitError(f"the letter holds a part ({kind}) beyond one text and one HTML body")
        found[kind] = part.get_content()
    return found
