"""Compose one copy of a campaign: the same bytes for every seed, but for To and Message-ID."""

import re
from datetime import datetime
from email.utils import format_datetime

from monitor.core.campaigns import Campaign, Letter
from monitor.core.errors import BadInputError
from monitor.evidence import mime, stamp

MAX_SUBJECT = 998  # RFC 5322 section 2.1.1, for one line

# Fields that make a message what it is; a campaign that sets one would say it twice.
OURS = frozenset(
    {"from", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version", "sender"}
    | {"content-type", "content-transfer-encoding", "return-path", "received"}
    | {stamp.TEST_HEADER.lower()}
)
_HTTPS_TARGET = re.compile(r"<https://[^<>\s]{1,2000}>", re.IGNORECASE)


def compose(
    campaign: Campaign,
    *,
    recipient: str,
    message_id: str,
    token: str,
    mail_from: str,
    date: datetime,
) -> Letter:
    """Write the copy of *campaign* for one seed.

    A List-Unsubscribe belongs to the campaign's own headers; where it names an https
    target, the List-Unsubscribe-Post of RFC 8058 is added.

    Args:
        recipient: the seed's address.
        message_id: with angle brackets; from `stamp.message_id`.
        token: the test's token, the same in all copies.
        mail_from: envelope sender, where bounces go.
        date: aware; written in UTC's offset or its own.
    Raises:
        BadInputError: a field of the campaign or an address cannot stand in a message;
            the error names the field.
    """
    to = mime.check_address("recipient", recipient)
    raw = b"".join(
        (
            mime.mailbox_field(
                "From",
                campaign.from_name,
                mime.check_address("from_address", campaign.from_address),
                called="from_name",
            ),
            mime.raw_field("To", to),
            _subject(campaign.subject),
            mime.raw_field("Date", format_datetime(date)),
            mime.raw_field("Message-ID", stamp.check_message_id(message_id)),
            _own_fields(campaign),
            mime.text_field(stamp.TEST_HEADER, token, called="token"),
            _body(campaign, token),
        )
    )
    return Letter(
        message_id=message_id,
        mail_from=mime.check_address("mail_from", mail_from),
        recipient=to,
        raw=raw,
    )


def _subject(subject: str) -> bytes:
    if len(subject) > MAX_SUBJECT:
        raise BadInputError(
            "subject", subject, "is too long", remedy=f"Keep it below {MAX_SUBJECT} characters."
        )
    return mime.text_field("Subject", subject, called="subject")


def _own_fields(campaign: Campaign) -> bytes:
    """The campaign's own headers, refused where they would contradict ours."""
    written = []
    for name, value in campaign.headers:
        if name.lower() in OURS:
            raise BadInputError(
                f"headers.{name}", value, "is set by Seedwatch itself", remedy="Leave it out."
            )
        written.append(mime.foreign_field(name, value, called=f"headers.{name}"))
    return b"".join(written) + _one_click(campaign)


def _one_click(campaign: Campaign) -> bytes:
    own = {name.lower(): value for name, value in campaign.headers}
    target = own.get("list-unsubscribe", "")
    if "list-unsubscribe-post" in own or _HTTPS_TARGET.search(target) is None:
        return b""
    return mime.raw_field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")


def _body(campaign: Campaign, token: str) -> bytes:
    if not campaign.text and not campaign.html:
        raise BadInputError("text", "", "is empty", remedy="Give the campaign a text or HTML body.")
    return mime.body(campaign.text, campaign.html, seed=token)
