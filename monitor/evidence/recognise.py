"""Know a copy again when it is found, by the strongest mark that it bears (DESIGN section 5).

Copies that we sent bear our Message-ID and header. What the sender's own mail service sent
bears that service's marks, or none; then wording, or From and subject, within a window of
time, are what is left.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr, parsedate_to_datetime

from monitor.core.campaigns import Match, Wanted
from monitor.evidence import bodies, fields
from monitor.evidence.bodies import BodyMarks
from monitor.evidence.fields import HeaderField
from monitor.evidence.stamp import CAMPAIGN_HEADERS, TEST_HEADER

CLOCKS_DIFFER = timedelta(minutes=10)  # a message may seem to be older than its campaign
DATE_IS_SANE = timedelta(days=2)  # between a message's own Date and its arrival

_FOUND_ID = re.compile(r"<[^<>\s]{1,400}>")
_HEADERS = frozenset(name.lower() for name in (*CAMPAIGN_HEADERS, TEST_HEADER))
_BLANKS = re.compile(r"\s+")


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
    received_at: datetime | None = None,
    campaign_header: str = "",
) -> Recognised | None:
    """Say which of *wanted* a message is, strongest mark first; None if it is none.

    Never raises. *wanted* are copies meant for one mailbox, so that a test's token names
    one of them.

    Args:
        headers: the raw header block, or at least stamp.NEEDED_HEADERS of it.
        body: the raw body (or its beginning) if it was fetched.
        received_at: when it came, for copies whose marks hold within a window only.
        campaign_header: one more header that carries the token, as the tenant chose.
    """
    marks = bodies.NOTHING
    if body is not None:
        marks = bodies.marks_of(headers.rstrip(b"\r\n") + b"\r\n\r\n" + body)
    return recognise_marks(
        headers, marks, wanted, received_at=received_at, campaign_header=campaign_header
    )


def recognise_marks(
    headers: bytes,
    marks: BodyMarks,
    wanted: Sequence[Wanted],
    *,
    received_at: datetime | None = None,
    campaign_header: str = "",
) -> Recognised | None:
    """As `recognise`, with the body read already."""
    parsed = fields.parse(headers)
    names = _HEADERS | {campaign_header.lower()} if campaign_header else _HEADERS
    values = {field.value for field in parsed if field.key in names}
    came = _came(parsed, received_at)
    tests: tuple[tuple[Match, Callable[[Wanted], bool]], ...] = (
        (Match.MESSAGE_ID, _by_id(parsed)),
        (Match.HEADER, lambda copy: bool(copy.token) and copy.token in values),
        (Match.HEADER, lambda copy: bool(copy.campaign_mark) and copy.campaign_mark in values),
        (Match.BODY, lambda copy: copy.token in marks.tokens),
        (Match.PLUS_ADDRESS, _by_plus_address(parsed)),
        (Match.BODY_HASH, lambda copy: bodies.alike(copy.body_mark, marks.mark)),
        (Match.WEAK, _by_from_and_subject(parsed)),
    )
    for match, is_meant in tests:
        of_this = [copy for copy in wanted if is_meant(copy)]
        found = _of_its_time(of_this, came)
        if found is not None:
            return Recognised(found, match)
    return None


def weak_mark(from_address: str, subject: str) -> str:
    """Return what two messages of one sender and subject share; "" without a sender."""
    address = parseaddr(from_address)[1].lower()
    words = _BLANKS.sub(" ", fields.decoded_words(subject)).strip().casefold()
    return f"{address}\n{words}" if address and words else ""


def weak_mark_of(parsed: Iterable[HeaderField]) -> str:
    """Return the weak mark of a message's header."""
    found = list(parsed)
    return weak_mark(fields.first(found, "From") or "", fields.first(found, "Subject") or "")


def _of_its_time(copies: Sequence[Wanted], came: datetime | None) -> Wanted | None:
    """Return the copy in whose window the message came; of several, the latest sent.

    A copy without a window is known for good; one with a window is not known at all by a
    message of which nobody can say when it came.
    """
    for slack in (timedelta(0), CLOCKS_DIFFER):
        fitting = [copy for copy in copies if _fits(copy, came, slack)]
        if fitting:
            return max(fitting, key=lambda copy: copy.sent_at) if came else fitting[0]
    return None


def _fits(copy: Wanted, came: datetime | None, slack: timedelta) -> bool:
    if copy.window_end is None:
        return True
    return came is not None and copy.sent_at - slack <= came < copy.window_end


def _came(parsed: Sequence[HeaderField], received_at: datetime | None) -> datetime | None:
    """When a message was sent, by its own Date where that can be true.

    A message that a provider gives back out of its quarantine may get a new arrival time.
    """
    try:
        date = parsedate_to_datetime(fields.first(parsed, "Date") or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return received_at
    date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
    if received_at is None:
        return date
    return date if abs(received_at - date) <= DATE_IS_SANE else received_at


def _by_id(parsed: Sequence[HeaderField]) -> Callable[[Wanted], bool]:
    ids = {found for value in fields.values(parsed, "Message-ID") for found in _ids(value)}
    return lambda copy: copy.message_id in ids or not ids.isdisjoint(copy.other_ids)


def _by_plus_address(parsed: Sequence[HeaderField]) -> Callable[[Wanted], bool]:
    values = [f.value.lower() for f in parsed if f.key in {"to", "delivered-to"}]
    return lambda copy: bool(copy.token) and _has_tag(values, f"+{copy.token}@".lower())


def _has_tag(values: Collection[str], tag: str) -> bool:
    return any(tag in value for value in values)


def _by_from_and_subject(parsed: Sequence[HeaderField]) -> Callable[[Wanted], bool]:
    """From and subject say little, so that they count within a window only."""
    mark = ""

    def is_meant(copy: Wanted) -> bool:
        nonlocal mark
        if copy.window_end is None or not (copy.from_address and copy.subject):
            return False
        mark = mark or weak_mark_of(parsed)
        return bool(mark) and mark == weak_mark(copy.from_address, copy.subject)

    return is_meant


def _ids(value: str) -> list[str]:
    """Message-IDs in a header value; some servers lose the angle brackets."""
    found = _FOUND_ID.findall(value)
    return found or ([f"<{value}>"] if value else [])
