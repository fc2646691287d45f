"""Rewritten links: what a provider puts in place of a sender's, as Safe Links does."""

import re
from email import message_from_bytes, policy
from email.encoders import encode_quopri
from email.message import Message as Email
from urllib.parse import quote

PATH = "/safelinks"
MAX_BYTES = 2 * 1024 * 1024  # larger messages are delivered as they came
URL = re.compile(r"""https?://[^\s"'<>()\[\]{}\\^`|]{1,2000}""", re.IGNORECASE)


def rewrite(raw: bytes, api_url: str) -> bytes:
    """Return *raw* with the http and https links of its text and html led through the lab.

    A message that cannot be taken apart and put together again is returned as it is.
    """
    if len(raw) > MAX_BYTES:
        return raw
    email = message_from_bytes(raw, policy=policy.compat32.clone(linesep="\r\n"))
    try:
        changed = [_rewrite_part(part, api_url) for part in email.walk()]
        return email.as_bytes() if any(changed) else raw
    except (ValueError, LookupError, TypeError):  # broken encodings, boundaries, charsets
        return raw


def _rewrite_part(part: Email, api_url: str) -> bool:
    if part.get_content_type() not in {"text/plain", "text/html"}:
        return False
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return False
    charset = part.get_content_charset("utf-8")
    text = payload.decode(charset, "surrogateescape")
    is_html = part.get_content_type() == "text/html"
    changed = URL.sub(lambda found: _led(found[0], api_url, is_html=is_html), text)
    if changed == text:
        return False
    del part["Content-Transfer-Encoding"]
    part.set_payload(changed.encode(charset, "surrogateescape"))
    encode_quopri(part)
    return True


def _led(url: str, api_url: str, *, is_html: bool) -> str:
    target = url.replace("&amp;", "&") if is_html else url
    return f"{api_url}{PATH}?url={quote(target, safe='')}"
