"""Links in a message: what a reader could click. Every step is bounded and linear."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from html.parser import HTMLParser
from urllib.parse import urlsplit

MAX_RAW = 1024 * 1024
MAX_PARTS = 30  # more containers than this are no newsletter; the parser would crawl
MAX_LINK = 2000
MAX_TAGS = 5000

# A tag stops at the next bracket: no start can be scanned twice.
_TAG = re.compile(r"<(?:a|area)\s[^<>]{1,8000}>", re.IGNORECASE)
_TEXT_LINK = re.compile(r"https?://[^\s<>\"'()\[\]{}\\]{1,2000}", re.IGNORECASE)
_PORT = re.compile(r":[0-9]{0,5}")


def links(raw: bytes, limit: int) -> list[str]:
    """Return the http and https links of a received message, each once, in reading order.

    Text and HTML parts are searched, at most MAX_RAW bytes of them. Never raises.
    """
    if raw[:MAX_RAW].lower().count(b"multipart/") > MAX_PARTS:
        return []
    found: dict[str, None] = {}
    with suppress(RecursionError):  # messages within messages, a thousand deep
        for link in _in_parts(BytesParser(policy=compat32).parsebytes(raw[:MAX_RAW])):
            if len(found) >= limit:
                break
            found.setdefault(link)
    return list(found)


def in_html(html: str) -> Iterator[str]:
    """Yield the targets of <a> and <area>, in order, entities resolved."""
    for count, match in enumerate(_TAG.finditer(html[:MAX_RAW])):
        if count == MAX_TAGS:
            return
        reader = _Href()
        reader.feed(match[0])
        yield from _web(reader.found)


def in_text(text: str) -> Iterator[str]:
    """Yield the http and https links that stand in plain text, in order."""
    yield from _web(m[0].rstrip(".,;:!?*_") for m in _TEXT_LINK.finditer(text[:MAX_RAW]))


def host(url: str) -> str:
    """Return the host of *url*, lower case, without `www.`, in IDNA form; "" if it has none."""
    try:
        name = urlsplit(url).hostname or ""
        name = name.rstrip(".").removeprefix("www.")
        return name if name.isascii() else name.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one; so are the complaints of urlsplit
        return ""


class _Href(HTMLParser):
    """Collects href values of the one tag that it is fed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"a", "area"}:
            self.found += [value for name, value in attrs if name == "href" and value]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)


def _web(candidates: Iterable[str]) -> Iterator[str]:
    for candidate in candidates:
        link = candidate.strip()
        if link[:8].lower().startswith(("http://", "https://")) and len(link) <= MAX_LINK:
            yield link


def _in_parts(message: Message) -> Iterator[str]:
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "text/html":
            yield from in_html(_decoded(part))
        elif kind == "text/plain":
            yield from in_text(_decoded(part))


def _decoded(part: Message) -> str:
    """The text of a part; an unknown or wrong character set costs letters, not links."""
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
