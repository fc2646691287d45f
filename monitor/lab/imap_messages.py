"""IMAP commands about messages: SEARCH, FETCH, STORE, COPY, MOVE, EXPUNGE, APPEND."""

import re

from monitor.lab.imap_fetch import compile_fetch, flags_item
from monitor.lab.imap_folders import existing
from monitor.lab.imap_parse import (
    Argument,
    BadCommandError,
    Command,
    RefusedError,
    compact,
    list_at,
    text_at,
)
from monitor.lab.imap_search import Compiler, View, date_time_of, number_of
from monitor.lab.imap_session import Session
from monitor.lab.mailboxes import Entry, Message

MAX_FLAGS = 50
CHANGED = re.compile(rb"(?i)^(\S+) (.*) \(CHANGEDSINCE (\d{1,19})\)$", re.DOTALL)


def search(session: Session, command: Command) -> str:
    if command.by_uid:
        session.sync()
    selected = session.open_folder()
    arguments = command.arguments()
    returns = _search_returns(session, arguments)
    if arguments and arguments[0] == b"CHARSET":
        _check_charset(text_at(arguments, 1))
        del arguments[:2]
    view = View(len(selected.view), selected.last_uid, session.offers("X-GM-EXT-1"))
    test = Compiler(arguments, view).all()
    hits = [
        entry.uid if command.by_uid else number
        for number, entry in enumerate(selected.view, start=1)
        if test(entry, number)
    ]
    if returns is None:
        session.put(b"* SEARCH", *(b" %d" % hit for hit in hits))
    else:
        session.put(_esearch(command, returns, hits))
    return "Search completed."


def _check_charset(name: bytes) -> None:
    if name.upper() not in {b"UTF-8", b"US-ASCII"}:
        raise RefusedError("[BADCHARSET (UTF-8 US-ASCII)] Unknown charset")


def _search_returns(session: Session, arguments: list[Argument]) -> list[bytes] | None:
    """Take RETURN (...) of RFC 4731 off the front; None if there is none."""
    first = arguments[0] if arguments else b""
    if isinstance(first, list) or first.upper() != b"RETURN":
        return None
    options = [o.upper() for o in list_at(arguments, 1)]
    if not session.offers("ESEARCH") or set(options) - {b"MIN", b"MAX", b"ALL", b"COUNT"}:
        raise BadCommandError("search return options")
    del arguments[:2]
    return options or [b"ALL"]


def _esearch(command: Command, returns: list[bytes], hits: list[int]) -> bytes:
    line = b'* ESEARCH (TAG "%s")' % command.tag
    if command.by_uid:
        line += b" UID"
    if hits and b"MIN" in returns:
        line += b" MIN %d" % hits[0]
    if hits and b"MAX" in returns:
        line += b" MAX %d" % hits[-1]
    if hits and b"ALL" in returns:
        line += b" ALL " + compact(hits)
    if b"COUNT" in returns:
        line += b" COUNT %d" % len(hits)
    return line


def fetch(session: Session, command: Command) -> str:
    if command.by_uid:
        session.sync()
    selected = session.open_folder()
    rest, since = command.rest, 0
    if changed := CHANGED.match(rest):
        if not session.offers("CONDSTORE"):
            raise BadCommandError("fetch modifiers")
        rest, since = b"%s %s" % (changed[1], changed[2]), number_of(changed[3])
    numbers, _, items = rest.partition(b" ")
    arguments = Command(command.tag, command.name, command.by_uid, items).arguments()
    if since:
        arguments = _with_modseq(arguments)
    wanted = compile_fetch(
        arguments,
        by_uid=command.by_uid,
        capabilities=frozenset(session.capabilities.split()),
    )
    marks = wanted.marks_seen and not selected.read_only
    for number, entry in selected.pick(numbers, by_uid=command.by_uid):
        if entry.modseq <= since:
            continue
        is_new = marks and "\\Seen" not in entry.flags
        if is_new:
            selected.folder.mark(entry, entry.flags | {"\\Seen"})
        session.put(b"* %d FETCH (" % number, wanted.line(entry, flags_changed=is_new), b")")
    return "Fetch completed."


def _with_modseq(arguments: list[Argument]) -> list[Argument]:
    words = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    return [[*words, b"MODSEQ"]]


def store(session: Session, command: Command) -> str:
    selected = session.writable_folder()
    numbers, _, rest = command.rest.partition(b" ")
    arguments = Command(command.tag, command.name, command.by_uid, rest).arguments()
    operation = text_at(arguments, 0).upper()
    found = re.fullmatch(rb"([+-]?)FLAGS(\.SILENT)?", operation)
    if found is None:
        raise BadCommandError("unknown store operation")
    given = read_flags(arguments[1:])
    for number, entry in selected.pick(numbers, by_uid=command.by_uid):
        selected.folder.mark(entry, _changed_flags(entry, found[1], given))
        if not found[2]:
            uid = b"UID %d " % entry.uid if command.by_uid else b""
            session.put(b"* %d FETCH (" % number, uid, flags_item(entry), b")")
    return "Store completed."


def _changed_flags(entry: Entry, sign: bytes, given: frozenset[str]) -> frozenset[str]:
    if sign == b"+":
        return entry.flags | given
    return entry.flags - given if sign == b"-" else given


def read_flags(arguments: list[Argument]) -> frozenset[str]:
    """Read a flag list, with parentheses or without; system flags in their usual spelling."""
    has_list = bool(arguments) and isinstance(arguments[0], list)
    words = (
        list_at(arguments, 0)
        if has_list
        else [text_at(arguments, i) for i in range(len(arguments))]
    )
    if len(words) > MAX_FLAGS:
        raise BadCommandError("too many flags")
    flags = (w.decode("ascii", "replace") for w in words)
    return frozenset("\\" + f[1:].title() if f.startswith("\\") else f for f in flags)


def expunge(session: Session, command: Command) -> str:
    selected = session.writable_folder()
    gone = [e for e in selected.folder.entries if "\\Deleted" in e.flags]
    if command.by_uid:
        named = {id(e) for _, e in selected.pick(command.rest, by_uid=True)}
        gone = [e for e in gone if id(e) in named]
    selected.folder.remove(gone)
    return "Expunge completed."


def copy(session: Session, command: Command) -> str:
    entries, code = _copy(session, command)
    return f"{code}Copy completed." if entries else "No messages found."


def move(session: Session, command: Command) -> str:
    """MOVE (RFC 6851): the COPYUID comes untagged, before the EXPUNGEs."""
    selected = session.writable_folder()
    entries, code = _copy(session, command)
    if not entries:
        return "No messages found."
    session.put(b"* OK ", code.encode(), b"Moved UIDs.")
    selected.folder.remove(entries)
    return "Move completed."


def _copy(session: Session, command: Command) -> tuple[list[Entry], str]:
    selected = session.open_folder()
    arguments = command.arguments()
    picked = selected.pick(text_at(arguments, 0), by_uid=command.by_uid)
    entries = [e for _, e in picked]
    target = existing(session, text_at(arguments, 1))
    copied = [target.add(e.message, e.date, e.flags) for e in entries]
    uids = compact([e.uid for e in entries]).decode()
    return entries, f"[COPYUID {target.uidvalidity} {uids} {compact(copied).decode()}] "


def append(session: Session, command: Command) -> str:
    """APPEND folder [flags] [date] message; without a date, lab time."""
    arguments = command.arguments()
    folder_name, *options = arguments[:-1] or [b""]
    raw = text_at(arguments, max(1, len(arguments) - 1))
    folder = existing(session, text_at([folder_name], 0))
    flags: frozenset[str] = frozenset()
    if options and isinstance(options[0], list):
        flags = read_flags([options.pop(0)])
    date = date_time_of(text_at(options, 0)) if options else session.world.now()
    message = Message(b"", raw, number=session.world.next_number())
    uid = folder.add(message, date, flags)
    return f"[APPENDUID {folder.uidvalidity} {uid}] Append completed."
