"""The questions that a reader asks of a folder, as bytes. Each of them only reads."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from monitor.core.campaigns import Wanted
from monitor.evidence.stamp import NEEDED_HEADERS, TEST_HEADER
from monitor.mailboxes.folders import Place
from monitor.mailboxes.imap_memory import MAX_FIELDS
from monitor.mailboxes.imap_wire import quoted, search_date, uid_set

MAX_SEARCHED = 10  # Message-IDs in one SEARCH
COMPACT = b"RETURN (ALL) "  # ESEARCH (RFC 4731): an answer in ranges
SAVED = b"RETURN (SAVE ALL) "  # SEARCHRES (RFC 5182)

_FIELDS = (
    f"(UID INTERNALDATE BODY.PEEK[HEADER.FIELDS ({' '.join(NEEDED_HEADERS).upper()})]"
    f"<0.{MAX_FIELDS}>)"
).encode()


def examine(place: Place) -> bytes:
    """Open a folder so that nothing in it can be changed."""
    return b"EXAMINE " + quoted(place.raw)


def status(place: Place) -> bytes:
    """Ask what tells whether anything came or went, without opening the folder."""
    return b"STATUS %b (MESSAGES UIDNEXT UIDVALIDITY)" % quoted(place.raw)


def since(day: datetime, *, how: bytes = b"") -> bytes:
    """Ask which messages came on this day or later, by the server's own calendar.

    Args:
        how: COMPACT where the server knows it, or SAVED to have the answer at hand for
            `saved_headers` too.
    """
    return b"UID SEARCH %bSINCE %b" % (how, search_date(day))


def marked_since(day: datetime, wanted: Sequence[Wanted], *, how: bytes = b"") -> bytes:
    """Ask which of these messages are probably ours: by Message-ID, or by our own header."""
    if is_many(wanted):
        return since(day, how=how) + f' HEADER {TEST_HEADER.upper()} ""'.encode()
    keys = [b"HEADER MESSAGE-ID " + quoted(w.message_id) for w in wanted]
    return b"%b %b%b" % (since(day, how=how), b"OR " * (len(keys) - 1), b" ".join(keys))


def is_many(wanted: Sequence[Wanted]) -> bool:
    """Are these too many to be searched by name?"""
    return len(wanted) > MAX_SEARCHED


def still_there(uids: Iterable[int], *, how: bytes = b"") -> bytes:
    return b"UID SEARCH %bUID %b" % (how, uid_set(uids))


def in_tab(uids: Iterable[int], tab: str) -> bytes:
    """Ask which messages Gmail files under a category (X-GM-EXT-1)."""
    return b"UID SEARCH UID %b X-GM-RAW %b" % (uid_set(uids), quoted(f"category:{tab}"))


def named(message_id: str) -> bytes:
    return b"UID SEARCH HEADER MESSAGE-ID " + quoted(message_id)


def new_fields(next_uid: int) -> bytes:
    """Fetch what a copy is known by, of all messages from *next_uid* on."""
    return b"UID FETCH %d:* %b" % (next_uid, _FIELDS)


def new_headers(next_uid: int, *, max_bytes: int) -> bytes:
    """Fetch the headers of all messages from *next_uid* on: where few have come."""
    return b"UID FETCH %d:* %b" % (next_uid, _header(max_bytes))


def fields(uids: Iterable[int]) -> bytes:
    """Fetch what a copy is known by."""
    return b"UID FETCH %b %b" % (uid_set(uids), _FIELDS)


def headers(uids: Iterable[int], *, max_bytes: int) -> bytes:
    return b"UID FETCH %b %b" % (uid_set(uids), _header(max_bytes))


def saved_headers(*, max_bytes: int) -> bytes:
    """Fetch the headers of what a search with SAVED has just found (RFC 5182)."""
    return b"UID FETCH $ " + _header(max_bytes)


def _header(max_bytes: int) -> bytes:
    return b"(UID INTERNALDATE BODY.PEEK[HEADER]<0.%d>)" % max_bytes


def beginnings(uids: Iterable[int], *, max_bytes: int) -> bytes:
    """Fetch the first bytes of messages, header and body."""
    return b"UID FETCH %b (UID BODY.PEEK[]<0.%d>)" % (uid_set(uids), max_bytes)
