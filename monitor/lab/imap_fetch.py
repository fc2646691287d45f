"""IMAP FETCH (RFC 3501 section 6.4.5): data items to bytes, for one message at a time."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from monitor.lab.imap_parse import Argument, BadCommandError, encode_folder, quoted
from monitor.lab.imap_search import MONTHS, gmail_id
from monitor.lab.mailboxes import FIELD, Entry, Message, named

Item = Callable[[Entry], bytes]
SECTION = re.compile(rb"(?i)BODY(\.PEEK)?\[([^\]]*)\](?:<(\d{1,10})(?:\.(\d{1,10}))?>)?")
FIELDS = re.compile(rb"(?is)HEADER\.FIELDS(\.NOT)?\s*\((.*)\)")
MACROS = {b"FAST": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE")}
WHOLE = {
    b"RFC822": (b"", True),
    b"RFC822.HEADER": (b"HEADER", False),
    b"RFC822.TEXT": (b"TEXT", True),
}
MAX_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Fetch:
    """What to send of each message, and whether sending it marks the message as read."""

    items: tuple[Item, ...]
    marks_seen: bool

    def line(self, entry: Entry, *, flags_changed: bool) -> bytes:
        """What to send of *entry*; new flags are told unasked, after the UID."""
        items = self.items
        if flags_changed and flags_item not in items:
            lead = 1 if items[0] is uid_item else 0
            items = (*items[:lead], flags_item, *items[lead:])
        return b" ".join(item(entry) for item in items)


def compile_fetch(
    arguments: list[Argument], *, by_uid: bool, capabilities: frozenset[str]
) -> Fetch:
    """Read the data items of a FETCH; a UID FETCH always tells the UID, first."""
    words = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    names = [w for w in words if isinstance(w, bytes)]
    if not names or len(names) != len(words) or len(names) > MAX_ITEMS:
        raise BadCommandError("invalid fetch items")
    if len(names) == 1:
        names = list(MACROS.get(names[0].upper(), tuple(names)))
    wanted = dict.fromkeys([b"UID", *names] if by_uid else names)
    pairs = [_item(name, capabilities) for name in wanted]
    unique = {name.upper(): pair for name, pair in zip(wanted, pairs, strict=True)}
    return Fetch(
        tuple(item for item, _ in unique.values()), any(seen for _, seen in unique.values())
    )


def _item(name: bytes, capabilities: frozenset[str]) -> tuple[Item, bool]:
    key = name.upper()
    if key in SIMPLE:
        return SIMPLE[key], False
    if key in EXTENDED and EXTENDED[key][0] in capabilities:
        return EXTENDED[key][1], False
    if key in WHOLE:
        section, marks = WHOLE[key]
        return _section(section, key, None, None), marks
    found = SECTION.fullmatch(name)
    if found is None:
        raise BadCommandError("unknown fetch item " + key[:40].decode("latin-1"))
    section = found[2].upper()
    label = b"BODY[%s]" % section
    if found[3] is None:
        return _section(section, label, None, None), found[1] is None
    start = int(found[3])
    length = None if found[4] is None else int(found[4])
    return _section(section, b"%s<%d>" % (label, start), start, length), found[1] is None


def _section(section: bytes, label: bytes, start: int | None, length: int | None) -> Item:
    cut = _cutter(section)

    def item(entry: Entry) -> bytes:
        data = cut(entry.message, start or 0, length)
        return b"%s {%d}\r\n%s" % (label, len(data), data)

    return item


Cutter = Callable[[Message, int, int | None], bytes]


def _cutter(section: bytes) -> Cutter:
    if section == b"":
        return Message.cut
    if section == b"TEXT":
        return Message.cut_text
    if section == b"HEADER":
        return lambda m, start, length: _slice(m.head, start, length)
    fields = FIELDS.fullmatch(section)
    if fields is None:
        raise BadCommandError("unknown section " + section[:40].decode("latin-1"))
    names = frozenset(fields[2].lower().replace(b'"', b"").split())
    if fields[1]:
        return lambda m, start, length: _slice(_other_fields(m.head, names), start, length)
    pattern = named(names)
    return lambda m, start, length: _slice(
        b"".join(pattern.findall(m.head)) + b"\r\n", start, length
    )


def _other_fields(head: bytes, names: frozenset[bytes]) -> bytes:
    fields = FIELD.findall(head)
    kept = [f for f in fields if f.partition(b":")[0].strip().lower() not in names]
    return b"".join(kept) + b"\r\n"


def _slice(data: bytes, start: int, length: int | None) -> bytes:
    return data[start:] if length is None else data[start : start + length]


def uid_item(entry: Entry) -> bytes:
    return b"UID %d" % entry.uid


def flags_item(entry: Entry) -> bytes:
    return b"FLAGS (%s)" % " ".join(sorted(entry.flags)).encode("utf-8", "replace")


def _internal_date(entry: Entry) -> bytes:
    d = entry.date
    text = f"{d.day:02d}-{MONTHS[d.month - 1]}-{d.year:04d} {d:%H:%M:%S} +0000"
    return b'INTERNALDATE "%s"' % text.encode("ascii")


def _labels(entry: Entry) -> bytes:
    return b"X-GM-LABELS (%s)" % b" ".join(
        quoted(encode_folder(label)) for label in sorted(entry.message.labels)
    )


SIMPLE: dict[bytes, Item] = {
    b"UID": uid_item,
    b"FLAGS": flags_item,
    b"INTERNALDATE": _internal_date,
    b"RFC822.SIZE": lambda e: b"RFC822.SIZE %d" % e.message.size,
}
EXTENDED: dict[bytes, tuple[str, Item]] = {
    b"MODSEQ": ("CONDSTORE", lambda e: b"MODSEQ (%d)" % e.modseq),
    b"X-GM-MSGID": ("X-GM-EXT-1", lambda e: b"X-GM-MSGID %d" % gmail_id(e)),
    b"X-GM-THRID": ("X-GM-EXT-1", lambda e: b"X-GM-THRID %d" % gmail_id(e)),
    b"X-GM-LABELS": ("X-GM-EXT-1", _labels),
}
