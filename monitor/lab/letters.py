"""What a filter reads in a message on its way in: who sent it, and where its links lead.

Never raises: the message is hostile. The body is read through its transfer encodings,
because a link that no pattern sees in base64 is still a link to the reader.
"""

import binascii
import re
from functools import lru_cache
from itertools import islice

from monitor.lab.rules import Subject

CACHED_BODY_BYTES = 64 * 1024
MAX_LINKS = 500
MAX_PARTS = 50
LINK = re.compile(rb"(?i)https?://([a-z0-9.-]{1,253})")
BASE64_PART = re.compile(
    rb"(?im)^content-transfer-encoding:[ \t]*base64\b[^\r\n]*\r\n"
    rb"(?:[^\r\n]{1,998}\r\n){0,50}\r\n([a-z0-9+/=\r\n]+)"
)
SOFT_BREAK = re.compile(rb"=[ \t]*\r?\n")
MESSAGE_ID = re.compile(rb"(?im)^message-id:[ \t]*(?:\r\n[ \t]+)?([^\r\n]{1,998})")
TEST = re.compile(rb"(?im)^x-seedwatch-test:[ \t]*(?:\r\n[ \t]+)?([^\r\n]{1,200})")
FROM = re.compile(rb"(?im)^from:((?:[^\r\n]|\r\n[ \t]){0,2000})")
SUBJECT = re.compile(rb"(?im)^subject:[ \t]*((?:[^\r\n]|\r\n[ \t]){0,2000})")
DOMAIN = re.compile(rb"@([A-Za-z0-9.-]{1,253})")


def head_of(raw: bytes) -> bytes:
    end = raw.find(b"\r\n\r\n")
    return raw if end < 0 else raw[: end + 2]


def read_subject(raw: bytes, mail_from: str, recipient: str) -> Subject:
    """Say what rules can ask about a message for one recipient."""
    head = head_of(raw)
    author = FROM.search(head)
    domains = DOMAIN.findall(author[1]) if author else []
    from_domain = domains[-1].decode().lower() if domains else ""
    envelope = mail_from.rpartition("@")[2].lower()
    return Subject(
        recipient=recipient,
        sender_domains=frozenset(filter(None, (from_domain, envelope))),
        link_hosts=link_hosts(raw),
        message_id=_text(MESSAGE_ID, head),
        test=_text(TEST, head),
        from_domain=from_domain or envelope,
    )


def subject_line(raw: bytes) -> str:
    return _text(SUBJECT, head_of(raw)).replace("\r\n", "")


def link_hosts(raw: bytes) -> frozenset[str]:
    """Return the host names, lower case, of the http and https links in a message."""
    end = raw.find(b"\r\n\r\n")
    body = b"" if end < 0 else raw[end:]
    if b"base64" in raw[: max(end, 0)].lower():
        body = raw  # the encoding of a message without parts stands in its own header
    return _hosts_cached(body) if len(body) <= CACHED_BODY_BYTES else _hosts(body)


def _hosts(body: bytes) -> frozenset[str]:
    texts = [SOFT_BREAK.sub(b"", body)]
    texts += [_decoded(part[1]) for part in islice(BASE64_PART.finditer(body), MAX_PARTS)]
    found = (link[1] for text in texts for link in islice(LINK.finditer(text), MAX_LINKS))
    return frozenset(host.decode().lower().strip(".") for host in found)


_hosts_cached = lru_cache(maxsize=64)(_hosts)  # the copies of a test share their body


def _decoded(block: bytes) -> bytes:
    whole = re.sub(rb"[\r\n=]", b"", block)
    whole = whole[:-1] if len(whole) % 4 == 1 else whole
    try:
        return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


def _text(pattern: re.Pattern[bytes], head: bytes) -> str:
    found = pattern.search(head)
    return found[1].decode("utf-8", "replace").strip() if found else ""
