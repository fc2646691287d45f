"""IMAP SEARCH (RFC 3501 section 6.4.4) and Gmail's X-GM-RAW: criteria to a predicate.

Header values are compared as raw bytes, whatever the case; encoded words are not decoded.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from monitor.lab.imap_parse import (
    NUMBER_SET,
    Argument,
    BadCommandError,
    NumberSet,
    decode_folder,
    text_at,
)
from monitor.lab.mailboxes import Entry

Test = Callable[[Entry, int], bool]  # the entry and its sequence number
MAX_DEPTH = 50
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DATE = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
DATE_TIME = re.compile(
    rb"(\d{1,2}-[A-Za-z]{3}-\d{4}) ((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d) ([+-](?:0\d|1[0-4])[0-5]\d)"
)
RAW_TERM = re.compile(r'(\w+):("[^"]*"|\S+)|("[^"]*"|\S+)')

FLAG_TESTS = {
    f"{prefix}{name.upper()}": (f"\\{name}", not prefix)
    for name in ("Answered", "Deleted", "Draft", "Flagged", "Seen")
    for prefix in ("", "UN")
}
HEADER_TESTS = {"BCC", "CC", "FROM", "SUBJECT", "TO"}


@dataclass(frozen=True, slots=True)
class View:
    """What number sets in a search refer to."""

    count: int
    last_uid: int
    has_gmail: bool


class Compiler:
    """Turns a list of arguments into one test."""

    def __init__(self, arguments: list[Argument], view: View, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise BadCommandError("search too deep")
        self._arguments = arguments
        self._view = view
        self._depth = depth
        self._at = 0

    def all(self) -> Test:
        """Every criterion to the end of the list must hold."""
        if not self._arguments:
            raise BadCommandError("empty search")
        tests = []
        while self._at < len(self._arguments):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda e, n: all(t(e, n) for t in tests)

    def _next(self) -> bytes:
        self._at += 1
        return text_at(self._arguments, self._at - 1)

    def _one(self, depth: int = 0) -> Test:
        if depth > MAX_DEPTH:
            raise BadCommandError("search too deep")
        token = self._arguments[self._at] if self._at < len(self._arguments) else b""
        if isinstance(token, list):
            self._at += 1
            return Compiler(token, self._view, self._depth + 1).all()
        key = self._next().upper().decode("latin-1")
        if key == "NOT":
            negated = self._one(depth + 1)
            return lambda e, n: not negated(e, n)
        if key == "OR":
            left, right = self._one(depth + 1), self._one(depth + 1)
            return lambda e, n: left(e, n) or right(e, n)
        return self._leaf(key)

    def _leaf(self, key: str) -> Test:
        if key in FLAG_TESTS:
            flag, wanted = FLAG_TESTS[key]
            return lambda e, _: (flag in e.flags) is wanted
        if key in HEADER_TESTS:
            return header_test(key.encode(), self._next())
        if key in PLAIN:
            return PLAIN[key]
        if key in WITH_TEXT:
            return WITH_TEXT[key](self._next())
        return self._special(key)

    def _special(self, key: str) -> Test:
        if key == "HEADER":
            name = self._next()
            return header_test(name, self._next())
        if key == "UID":
            return uid_test(self._next(), self._view)
        if self._view.has_gmail and key in GMAIL:
            return GMAIL[key](self._next())
        if NUMBER_SET.fullmatch(key.encode("latin-1")):
            numbers = NumberSet(key.encode(), self._view.count)
            return lambda _, n: n in numbers
        raise BadCommandError(f"unknown search key {key[:40]}")


def header_test(name: bytes, value: bytes) -> Test:
    """Does a header of this name hold *value*? An empty value asks whether it is there."""
    wanted, needle = name.lower(), value.lower()
    return lambda e, _: any(needle in v.lower() for v in e.message.values(wanted))


def uid_test(text: bytes, view: View) -> Test:
    uids = NumberSet(text, view.last_uid)
    return lambda e, _: e.uid in uids


def date_of(text: bytes) -> date:
    found = DATE.fullmatch(text)
    if found is None or found[2].decode().title() not in MONTHS:
        raise BadCommandError("invalid date")
    try:
        month = MONTHS.index(found[2].decode().title()) + 1
        return date(int(found[3]), month, int(found[1]))
    except ValueError as error:
        raise BadCommandError("invalid date") from error


def date_time_of(text: bytes) -> datetime:
    """Read an IMAP date-time, such as " 1-Mar-2026 10:00:00 +0000", into UTC."""
    found = DATE_TIME.fullmatch(text.strip())
    if found is None or date_of(found[1]).year < 1900:
        raise BadCommandError("invalid date")
    clock = datetime.strptime(found[2].decode("ascii") + found[3].decode("ascii"), "%H:%M:%S%z")
    return datetime.combine(date_of(found[1]), clock.timetz()).astimezone(UTC)


def number_of(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise BadCommandError("invalid number")
    return int(text)


def _text(needle: bytes) -> Test:
    wanted = needle.lower()
    return lambda e, _: e.message.contains(wanted)


def _body(needle: bytes) -> Test:
    wanted = needle.lower()
    return lambda e, _: wanted in e.message.cut_text(0).lower()


def _since(text: bytes) -> Test:
    day = date_of(text)
    return lambda e, _: e.date.date() >= day


def _before(text: bytes) -> Test:
    day = date_of(text)
    return lambda e, _: e.date.date() < day


def _on(text: bytes) -> Test:
    day = date_of(text)
    return lambda e, _: e.date.date() == day


def _larger(text: bytes) -> Test:
    size = number_of(text)
    return lambda e, _: e.message.size > size


def _smaller(text: bytes) -> Test:
    size = number_of(text)
    return lambda e, _: e.message.size < size


def _keyword(text: bytes) -> Test:
    flag = text.decode("utf-8", "replace")
    return lambda e, _: flag in e.flags


def _unkeyword(text: bytes) -> Test:
    has = _keyword(text)
    return lambda e, n: not has(e, n)


def _modseq(text: bytes) -> Test:
    least = number_of(text)
    return lambda e, _: e.modseq >= least


PLAIN: dict[str, Test] = {
    "ALL": lambda _e, _n: True,
    "NEW": lambda _e, _n: False,  # nothing is \Recent here
    "OLD": lambda _e, _n: True,
    "RECENT": lambda _e, _n: False,
}
WITH_TEXT: dict[str, Callable[[bytes], Test]] = {
    "TEXT": _text,
    "BODY": _body,
    "SINCE": _since,
    "BEFORE": _before,
    "ON": _on,
    "LARGER": _larger,
    "SMALLER": _smaller,
    "KEYWORD": _keyword,
    "UNKEYWORD": _unkeyword,
    "MODSEQ": _modseq,
}


def _gmail_label(text: bytes) -> Test:
    label = decode_folder(text)
    return lambda e, _: label in e.message.labels


def _gmail_number(text: bytes) -> Test:
    number = number_of(text)
    return lambda e, _: gmail_id(e) == number


def gmail_id(entry: Entry) -> int:
    return 1_700_000_000_000_000_000 + entry.message.number


def _gmail_raw(text: bytes) -> Test:
    """The part of Gmail's own search language that a placement reader needs."""
    tests = [
        _gmail_term(key.lower(), value.strip('"'), word.strip('"'))
        for key, value, word in RAW_TERM.findall(text.decode("utf-8", "replace"))
    ]
    return lambda e, n: all(t(e, n) for t in tests)


def _gmail_term(key: str, value: str, word: str) -> Test:
    if key == "category":
        # Mail without a tab of its own is in Primary.
        wanted = "" if value.lower() == "primary" else value.lower()
        return lambda e, _: e.message.tab == wanted and "\\Inbox" in e.message.labels
    if key == "rfc822msgid":
        return header_test(b"message-id", value.strip("<>").encode())
    if key in {"subject", "from", "to"}:
        return header_test(key.encode(), value.encode())
    if key == "in":
        return lambda _e, _n: True  # the folder that is open is searched
    return _text((f"{key}:{value}" if key else word).encode())


GMAIL: dict[str, Callable[[bytes], Test]] = {
    "X-GM-RAW": _gmail_raw,
    "X-GM-MSGID": _gmail_number,
    "X-GM-THRID": _gmail_number,
    "X-GM-LABELS": _gmail_label,
}
