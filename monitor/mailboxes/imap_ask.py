"""The questions that a reader asks of a folder, as bytes. Each of them only reads."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from monitor.core.campaigns import Wanted
from monitor.evidence.stamp import NEEDED_HEADERS, TEST_HEADER
from monitor.mailboxes.folders import Place
from monitor.mailboxes.imap_memory import MAX_FIELDS
from monitor.mailboxes.imap_wire import quoted, search_date, uid_set

MAX_SEARCHED = 10  # Message-IDs in one SEARCH

_FIELDS = (
    f"(UID INTERNALDATE BODY.PEEK[HEADER.FIELDS ({' '.join(NEEDED_HEADERS).upper()})]"
    f"<0.{MAX_FIELDS}>)"
).encode()


def examine(place: Place) -> bytes:
    """Open a folder so that nothing in it can be changed."""
    return b"EXAMINE " + quoted(place.raw)


def since(day: datetime) -> bytes:
    """Ask which messages came on this day or later, by the server's own calendar."""
    return b"UID SEARCH SINCE " + search_date(day)


def marked_since(day: datetime, wanted: Sequence[Wanted]) -> bytes:
    """Ask which of these messages are probably ours: by Message-ID, or by our own header."""
    if len(wanted) > MAX_SEARCHED:
        return since(day) + f' HEADER {TEST_HEADER.upper()} ""'.encode()
    keys = [b"HEADER MESSAGE-ID " + quoted(w.message_id) for w in wanted]
    return b"%b %b%b" % (since(day), b"OR " * (len(keys) - 1), b" ".join(keys))


def still_there(uids: Iterable[int]) -> bytes:
    return b"UID SEARCH UID " + uid_set(uids)


def in_tab(uids: Iterable[int], tab: str) -> bytes:
    """Ask which messages Gmail files under a category (X-GM-EXT-1)."""
    return b"UID SEARCH UID %b X-GM-RAW %b" % (uid_set(uids), quoted(f"category:{tab}"))


def named(message_id: str) -> bytes:
    return b"UID SEARCH HEADER MESSAGE-ID " + quoted(message_id)


def new_fields(next_uid: int) -> bytes:
    """Fetch what a copy is known by, of all messages from *next_uid* on."""
    return b"UID FETCH %d:* %b" % (next_uid, _FIELDS)


def fields(uids: Iterable[int]) -> bytes:
    """Fetch what a copy is known by."""
    return b"UID FETCH %b %b" % (uid_set(uids), _FIELDS)


def headers(uids: Iterable[int], *, max_bytes: int) -> bytes:
    part = b"BODY.PEEK[HEADER]<0.%d>" % max_bytes
    return b"UID FETCH %b (UID INTERNALDATE %b)" % (uid_set(uids), part)


def beginning(uid: int, *, max_bytes: int) -> bytes:
    """Fetch the first bytes of a message, header and body."""
    return b"UID FETCH %d (UID BODY.PEEK[]<0.%d>)" % (uid, max_bytes)
