"""Mark a copy when it goes out, and know it again when it is found (DESIGN section 5)."""

import base64
import hashlib
import random
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.core.campaigns import Match, Wanted
from monitor.core.errors import BadInputError
from monitor.evidence import fields
from monitor.evidence.fields import HeaderField

TEST_HEADER = "X-Seedwatch-Test"

# Headers by which the market's tools know a campaign; the ESP has set them already, so
# looking at them adds nothing to the message.
CAMPAIGN_HEADERS = (
    "X-250ok-CID",
    "X-rpcampaign",
    "X-PVIQ",
    "X-Campaign-ID",
    "X-CampaignID",
    "X-job",
    "X-SP-Inbox-Placement",
)
# What a reader must fetch of a message so that `recognise` can do its work.
NEEDED_HEADERS = ("Message-ID", *CAMPAIGN_HEADERS, TEST_HEADER, "Delivered-To", "To")

MAX_BODY = 512 * 1024
_TOKEN_BITS = 100
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,120}@[!-;=?A-~]{1,200}>")
_DOMAIN = re.compile(r"[0-9A-Za-z-]{1,63}(\.[0-9A-Za-z-]{1,63}){0,20}")
_FOUND_ID = re.compile(r"<[^<>\s]{1,400}>")


def new_token(rng: random.Random) -> str:
    """Return a test's token: 20 letters and digits, lower case."""
    bits = rng.getrandbits(_TOKEN_BITS) << 28  # 128 bits in all, the last ones dropped again
    return base64.b32encode(bits.to_bytes(16, "big"))[:20].decode("ascii").lower()


def message_id(token: str, copy_number: int, domain: str) -> str:
    """Return the Message-ID of one copy, angle brackets included.

    The same token and number always give the same id, so that a copy sent again after a
    crash is known to be the same. It looks like any mail program's id: a hash shared by
    all seeds would itself be something to filter by.

    Raises:
        BadInputError: *domain* is no domain name.
    """
    if _DOMAIN.fullmatch(domain) is None or len(domain) > 190:
        raise BadInputError(
            "domain", domain, "is not a domain name", remedy="Use the sender's own domain."
        )
    digest = hashlib.sha256(f"{token}:{copy_number}".encode()).digest()
    return f"<{uuid.UUID(bytes=digest[:16], version=4)}@{domain.lower()}>"


def check_message_id(value: str) -> str:
    """Return *value* if it can stand in a header.

    Raises:
        BadInputError: it is not of the form <left@right>, in plain ASCII.
    """
    if _MESSAGE_ID.fullmatch(value) is None:
        raise BadInputError(
            "message_id", value, "is not a Message-ID", remedy="Write it as <left@example.com>."
        )
    return value


@dataclass(frozen=True, slots=True)
class Recognised:
    """Which of the wanted copies a message is, and by what it was known."""

    wanted: Wanted
    match: Match


def recognise(
    headers: bytes,
    body: bytes | None,
    wanted: Sequence[Wanted],
    *,
    campaign_header: str = "",
) -> Recognised | None:
    """Say which of *wanted* a message is, strongest mark first; None if it is none.

    Never raises. *wanted* are copies meant for one mailbox, so that a test's token names
    one of them.

    Args:
        headers: the raw header block, or at least the NEEDED_HEADERS of it.
        body: the raw body if it was fetched; its first 512 KiB are searched.
        campaign_header: one more header that carries the token, as the tenant chose.
    """
    parsed = fields.parse(headers)
    ids = {found for value in fields.values(parsed, "Message-ID") for found in _ids(value)}
    for copy in wanted:
        if copy.message_id in ids:
            return Recognised(copy, Match.MESSAGE_ID)
    for copy in wanted:
        if _is_in_header(copy.token, parsed, campaign_header):
            return Recognised(copy, Match.HEADER)
    shown = (body or b"")[:MAX_BODY].replace(b"=\r\n", b"").replace(b"=\n", b"")
    for copy in wanted:
        if copy.token and copy.token.encode("utf-8", "replace") in shown:
            return Recognised(copy, Match.BODY)
    return None


def _is_in_header(token: str, parsed: Iterable[HeaderField], campaign_header: str) -> bool:
    """Is *token* the value of a campaign header, ours, or the tag of a plus-address?"""
    names = {name.lower() for name in (*CAMPAIGN_HEADERS, TEST_HEADER, campaign_header) if name}
    tag = f"+{token}@".lower()
    for field in parsed:
        if token and field.key in names and field.value == token:
            return True
        if token and field.key in {"to", "delivered-to"} and tag in field.value.lower():
            return True
    return False


def _ids(value: str) -> list[str]:
    """Message-IDs in a header value; some servers lose the angle brackets."""
    found = _FOUND_ID.findall(value)
    return found or ([f"<{value}>"] if value else [])
