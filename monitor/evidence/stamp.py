"""Mark a copy when it goes out (DESIGN section 5); recognise.py knows it again."""

import base64
import hashlib
import random
import re
import uuid

from monitor.core.errors import BadInputError

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
    "X-Campaign",
    "Feedback-ID",  # developers.google.com/gmail/markup, "Feedback Loop": set by most services
)
# What a reader must fetch of a message so that `recognise` can do its work.
NEEDED_HEADERS = (
    "Message-ID",
    *CAMPAIGN_HEADERS,
    TEST_HEADER,
    "Delivered-To",
    "To",
    "From",
    "Subject",
    "Date",
)

_TOKEN_BITS = 100
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,120}@[!-;=?A-~]{1,200}>")
_DOMAIN = re.compile(r"[0-9A-Za-z-]{1,63}(\.[0-9A-Za-z-]{1,63}){0,20}")


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
