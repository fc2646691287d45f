"""IMAP on the wire (RFC 3501): quote what we send, understand what a server answers.

Pure, and never raises: a server may send anything.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeAlias

Item: TypeAlias = "bytes | tuple[Item, ...] | None"

MAX_DEPTH = 12  # of nested lists
MAX_TEXT = 200  # characters of a server's words that we repeat
MAX_UID = 2**32 - 1
MAX_FOUND = 200_000  # numbers of one answer, the last ones

# A parenthesis, a quoted string, an atom (which may hold a section with blanks, as in
# BODY[HEADER.FIELDS (TO)]<0>), or a quote that nobody closes. Bounded: no part of it
# looks far ahead more than once.
_ITEM = re.compile(
    rb"""[ \t]*(?:([()])"""
    rb"""|"((?:[^"\\]|\\.)*+)\""""
    rb"""|([^\s()"\[]*+\[[^\]]{0,400}+\](?:<\d+>)?|[^\s()"]+)"""
    rb"""|("))"""
)
_UNQUOTE = re.compile(rb"\\(.)", re.DOTALL)
_STATUS = {"OK", "NO", "BAD", "BYE", "PREAUTH"}
_CODE = re.compile(r"\[([^\s\]]{1,40})(?: ([^\]]*))?\] ?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r" ?(\d{1,2})-([A-Z][a-z]{2})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")


@dataclass(frozen=True, slots=True)
class Response:
    """One response: a status (`OK`, `NO`, …) with its code and text, or data with its items."""

    tag: str  # "*", "+" or that of a command
    word: str  # upper case; "" if it makes no sense
    number: int = 0  # of "* 5 FETCH"
    code: str = ""  # upper case: "UIDNEXT"
    value: str = ""  # of the code: "42"
    text: str = ""  # a person's words, printable and short
    items: tuple[Item, ...] = ()
    about: str = ""  # the tag of the command that an ESEARCH answers


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder of a LIST response."""

    raw: bytes  # as the server wrote it, unquoted
    attributes: frozenset[str]  # lower case
    delimiter: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one FETCH response tells of a message."""

    uid: int
    received_at: datetime | None
    section: str  # upper case, as in "BODY[HEADER]"; "" if no part came
    data: bytes


def quoted(text: str | bytes) -> bytes:
    """Return a quoted string. Line ends and NUL, which it cannot hold, are dropped."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return b'"' + re.sub(rb'(["\\])', rb"\\\1", re.sub(rb"[\r\n\0]", b"", raw)) + b'"'


def uid_set(uids: Iterable[int]) -> bytes:
    """Return *uids* as a sequence set, runs drawn together: 1:3,7. None gives b""."""
    runs: list[tuple[int, int]] = []
    for uid in sorted(set(uids)):
        if runs and uid == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], uid)
        else:
            runs.append((uid, uid))
    return b",".join(b"%d" % a if a == b else b"%d:%d" % (a, b) for a, b in runs)


def search_date(day: datetime) -> bytes:
    """Return the day of *day* as SEARCH wants it; months are English whatever the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode()


def shown(text: str) -> str:
    """Return a server's words fit for a sentence of ours: printable, short, one line."""
    clean = text[: 4 * MAX_TEXT]
    if not clean.isprintable():
        clean = "".join(c if c.isprintable() else " " for c in clean)
    clean = " ".join(clean.split())
    return clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 3] + "..."


def parse(parts: Sequence[bytes]) -> Response:
    """Understand one response: text and literals in turn, beginning with text."""
    first = parts[0] if parts else b""
    tag, _, rest = first.partition(b" ")
    name = tag.decode("latin-1")
    if name == "+":
        text = rest.decode("utf-8", "replace")
        return Response("+", "+", value=text[:4096].strip(), text=shown(text))
    head, _, after = rest.partition(b" ")
    word = head.decode("latin-1").upper()
    if word in _STATUS:
        return _status(name, word, after.decode("utf-8", "replace"))
    if name != "*":
        return Response(name, "")
    count = 0
    if head.isdigit():
        count = number(head)
        head, _, after = after.partition(b" ")
        word = head.decode("latin-1").upper()
    items = _items([after, *parts[1:]])
    return Response(
        name, word, count, items=items, about=_about(items) if word == "ESEARCH" else ""
    )


def _about(items: tuple[Item, ...]) -> str:
    """Return the tag that an ESEARCH response names first."""
    match items:
        case ((bytes() as key, bytes() as tag), *_) if key.upper() == b"TAG":
            return tag.decode("latin-1")
    return ""


def _status(tag: str, word: str, text: str) -> Response:
    found = _CODE.match(text)
    if found is None:
        return Response(tag, word, text=shown(text))
    code, value = found[1].upper(), (found[2] or "")[:4096]
    return Response(tag, word, code=code, value=value, text=shown(text[found.end() :]))


def _items(parts: Sequence[bytes]) -> tuple[Item, ...]:
    """Nest the items of a data response; what is deeper than MAX_DEPTH is flattened."""
    stack: list[list[Item]] = [[]]
    for mark, value in _tokens(parts):
        if mark == b"(" and len(stack) < MAX_DEPTH:
            stack.append([])
        elif mark == b")" and len(stack) > 1:
            inner = tuple(stack.pop())
            stack[-1].append(inner)
        elif not mark:
            stack[-1].append(value)
    while len(stack) > 1:
        inner = tuple(stack.pop())
        stack[-1].append(inner)
    return tuple(stack[0])


def _tokens(parts: Sequence[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield (parenthesis, None) or (b"", value), where NIL is None."""
    for index, part in enumerate(parts):
        if index % 2:
            yield b"", part  # a literal
            continue
        for found in _ITEM.finditer(part):
            mark, string, atom, stray = found.groups()
            if stray:
                break  # a quote that nobody closes: searching on for its end could take ages
            if string is not None:
                yield b"", _UNQUOTE.sub(rb"\1", string)
            else:
                yield mark or b"", None if mark or atom.upper() == b"NIL" else atom


def capabilities(value: str | Sequence[Item]) -> frozenset[str]:
    """Return the capabilities of a CAPABILITY response or code, upper case."""
    if isinstance(value, str):
        return frozenset(value.upper().split())
    return frozenset(v.decode("latin-1").upper() for v in value if isinstance(v, bytes))


def listed(response: Response) -> Listed | None:
    """Understand a LIST response."""
    match response.items:
        case (tuple() as attributes, delimiter, bytes() as raw, *_) if response.word == "LIST":
            names = (a.decode("latin-1").lower() for a in attributes if isinstance(a, bytes))
            mark = delimiter.decode("latin-1") if isinstance(delimiter, bytes) else ""
            return Listed(raw, frozenset(names), mark)
    return None


def found_uids(response: Response) -> list[int]:
    """Return the numbers of a SEARCH response, or of an ESEARCH (RFC 4731)."""
    if response.word == "SEARCH":
        uids = (number(item) for item in response.items if isinstance(item, bytes))
        return [uid for uid in uids if 0 < uid <= MAX_UID]
    if response.word != "ESEARCH":
        return []
    words = [item if isinstance(item, bytes) else b"" for item in response.items]
    at = next((n for n, word in enumerate(words[:-1]) if word.upper() == b"ALL"), -1)
    return numbers(words[at + 1]) if at >= 0 else []


def numbers(sequence: bytes) -> list[int]:
    """Return the numbers of a sequence set such as 1:3,7 in order; of very many the last."""
    found: set[int] = set()
    for part in reversed(sequence.split(b",")):
        low, _, high = part.partition(b":")
        first, last = sorted((number(low), number(high) if high else number(low)))
        if first < 1 or last > MAX_UID:
            continue
        found.update(range(max(first, last - MAX_FOUND + len(found) + 1), last + 1))
        if len(found) >= MAX_FOUND:
            break
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Counts:
    """By these a folder shows whether anything came or went since (RFC 3501 section 6.3.10)."""

    validity: str
    next_uid: int
    messages: int


def counts(response: Response) -> tuple[bytes, Counts | None]:
    """Understand a STATUS response: the folder's name, and what is told of it."""
    match response.items:
        case (bytes() as raw, tuple() as pairs, *_) if response.word == "STATUS":
            told = {}
            for key, value in zip(pairs[::2], pairs[1::2], strict=False):
                if isinstance(key, bytes) and isinstance(value, bytes):
                    told[key.upper()] = value
            if told.keys() >= {b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY"}:
                validity = told[b"UIDVALIDITY"].decode("latin-1")
                next_uid, messages = number(told[b"UIDNEXT"]), number(told[b"MESSAGES"])
                return raw, Counts(validity, next_uid, messages)
            return raw, None
    return b"", None


def namespaces(response: Response) -> tuple[list[bytes], list[bytes]]:
    """Return the prefixes of one's own folders, and those of other people's (RFC 2342)."""
    if response.word != "NAMESPACE":
        return [], []
    own, *foreign = (_prefixes(item) for item in (*response.items, None, None, None)[:3])
    return own, [prefix for some in foreign for prefix in some]


def _prefixes(item: Item) -> list[bytes]:
    entries = item if isinstance(item, tuple) else ()
    firsts = (entry[0] for entry in entries if isinstance(entry, tuple) and entry)
    return [first for first in firsts if isinstance(first, bytes)]


def fetched(response: Response) -> Fetched | None:
    """Understand a FETCH response; None without a UID, as in news about flags."""
    if response.word != "FETCH" or not response.items or not isinstance(response.items[0], tuple):
        return None
    uid, received_at, section, data = 0, None, "", b""
    pairs = iter(response.items[0])
    for key, value in zip(pairs, pairs, strict=False):
        name = key.decode("latin-1").upper() if isinstance(key, bytes) else ""
        if name == "UID" and isinstance(value, bytes):
            uid = number(value)
        elif name == "INTERNALDATE" and isinstance(value, bytes):
            received_at = internal_date(value.decode("latin-1"))
        elif name.startswith("BODY["):
            section = name.partition("<")[0].replace('"', "")
            data = value if isinstance(value, bytes) else b""
    return Fetched(uid, received_at, section, data) if 0 < uid <= MAX_UID else None


def internal_date(text: str) -> datetime | None:
    """Read an INTERNALDATE such as "17-Jul-1996 02:44:25 -0700", as UTC."""
    found = _DATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second, off_h, off_m = (int(found[n]) for n in (1, 3, 4, 5, 6, 8, 9))
    offset = timedelta(hours=off_h, minutes=off_m) * (-1 if found[7] == "-" else 1)
    try:
        zone = timezone(offset)
        local = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def number(raw: bytes | str) -> int:
    """Return a number as IMAP has them (32 bits), else 0."""
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) <= 10 else 0
