"""IMAP commands about folders: LIST, STATUS, SELECT and their kin."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.lab.imap_parse import (
    Argument,
    BadCommandError,
    Command,
    RefusedError,
    decode_folder,
    encode_folder,
    list_at,
    quoted,
    text_at,
)
from monitor.lab.imap_session import Selected, Session
from monitor.lab.mailboxes import Folder

FLAGS = b"\\Answered \\Flagged \\Deleted \\Seen \\Draft"
CHILDREN = ("\\HasChildren", "\\HasNoChildren")
NOT_SPECIAL = {"\\Noselect", "\\Noinferiors"}
MAX_FOLDERS = 1000
MAX_NAME = 255
MAX_PATTERN = 1000
SELECT_OPTIONS = {b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"}
RETURN_OPTIONS = {b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE", b"STATUS"}


def existing(session: Session, name: bytes) -> Folder:
    folder = session.owner().folder(decode_folder(name))
    if folder is None:
        raise RefusedError("[NONEXISTENT] Mailbox doesn't exist")
    return folder


@dataclass(frozen=True, slots=True)
class Listing:
    """What a LIST asks for. A plain one is told all attributes, an extended one what it names."""

    patterns: list[str]
    is_extended: bool
    special_only: bool
    returns: frozenset[bytes]
    status: list[bytes]


def list_folders(session: Session, command: Command) -> str:
    """LIST, with RFC 5258, 5819 and 6154 where the provider offers them."""
    listing = _listing(session, command.arguments())
    if listing.patterns == [""]:
        session.put(b'* LIST (\\Noselect) "/" ""')
        return "List completed."
    for folder in session.owner().folders.values():
        special = set(folder.attributes) - NOT_SPECIAL
        if not _is_listed(folder.name, listing.patterns) or (listing.special_only and not special):
            continue
        attributes = _attributes(session, folder)
        if listing.is_extended and b"SPECIAL-USE" not in listing.returns:
            attributes = [a for a in attributes if a not in special]
        if listing.is_extended and b"CHILDREN" not in listing.returns:
            attributes = [a for a in attributes if a not in CHILDREN]
        session.put(b"* LIST (%s)" % " ".join(attributes).encode(), b' "/" ', _name(folder))
        if listing.status and folder.is_selectable:
            _put_status(session, folder, listing.status)
    return "List completed."


def _listing(session: Session, arguments: list[Argument]) -> Listing:
    """Read the arguments: [selection options] reference pattern(s) [RETURN options]."""
    selects: set[bytes] = set()
    is_extended = bool(arguments) and isinstance(arguments[0], list)
    if is_extended:
        selects = {o.upper() for o in list_at(arguments, 0)}
        arguments = arguments[1:]
    reference = text_at(arguments, 0)
    has_several = len(arguments) > 1 and isinstance(arguments[1], list)
    patterns = list_at(arguments, 1) if has_several else [text_at(arguments, 1)]
    is_extended = is_extended or has_several or len(arguments) > 2
    if len(patterns) > MAX_NAME or any(len(p) > MAX_PATTERN for p in patterns):
        raise BadCommandError("too many patterns")
    if (is_extended and not _offers_extended(session)) or selects - SELECT_OPTIONS:
        raise BadCommandError("extended LIST")
    returns, status = _returns(arguments[2:])
    special_only = b"SPECIAL-USE" in selects
    wanted = [decode_folder(reference + p) for p in patterns if reference + p] or [""]
    return Listing(wanted, is_extended, special_only, frozenset(returns | selects), status)


def _offers_extended(session: Session) -> bool:
    return any(session.offers(c) for c in ("LIST-EXTENDED", "SPECIAL-USE", "LIST-STATUS"))


def _returns(arguments: list[Argument]) -> tuple[set[bytes], list[bytes]]:
    """Read RETURN (...): the options, and the items of STATUS."""
    if not arguments:
        return set(), []
    options = arguments[1] if len(arguments) == 2 else b""
    if text_at(arguments, 0).upper() != b"RETURN" or not isinstance(options, list):
        raise BadCommandError("extended LIST")
    names = [o.upper() if isinstance(o, bytes) else b"" for o in options]
    status = list_at(options, names.index(b"STATUS") + 1) if b"STATUS" in names else []
    if set(names) - RETURN_OPTIONS - ({b""} if status else set()):
        raise BadCommandError("unknown return option")
    return set(names), status


def _attributes(session: Session, folder: Folder) -> list[str]:
    prefix = folder.name + "/"
    has_children = any(n.startswith(prefix) for n in session.owner().folders)
    return [*folder.attributes, CHILDREN[0] if has_children else CHILDREN[1]]


def _name(folder: Folder) -> bytes:
    return quoted(encode_folder(folder.name))


def _is_listed(name: str, patterns: list[str]) -> bool:
    is_inbox = name == "INBOX" and any(p.upper() == name for p in patterns)
    return is_inbox or any(fits(name, p) for p in patterns)


def fits(name: str, pattern: str) -> bool:
    """Does *name* fit the LIST wildcards? `*` crosses hierarchy levels, `%` does not.

    Keeps the set of positions in *name* that the pattern can have reached, so that no
    pattern costs more than its length times the name's.
    """
    reached = {0}
    for char in pattern:
        if char == "*":
            reached = set(range(min(reached), len(name) + 1))
        elif char == "%":
            reached = {p for start in reached for p in range(start, _level_end(name, start) + 1)}
        else:
            reached = {p + 1 for p in reached if name[p : p + 1] == char}
        if not reached:
            return False
    return len(name) in reached


def _level_end(name: str, start: int) -> int:
    end = name.find("/", start)
    return len(name) if end < 0 else end


def lsub(session: Session, command: Command) -> str:
    """LSUB: everybody is subscribed to everything."""
    arguments = command.arguments()
    patterns = [decode_folder(text_at(arguments, 0) + text_at(arguments, 1))]
    for folder in session.owner().folders.values():
        if _is_listed(folder.name, patterns):
            attributes = " ".join(_attributes(session, folder)).encode()
            session.put(b"* LSUB (%s)" % attributes, b' "/" ', _name(folder))
    return "Lsub completed."


def status(session: Session, command: Command) -> str:
    arguments = command.arguments()
    folder = existing(session, text_at(arguments, 0))
    _put_status(session, folder, list_at(arguments, 1))
    return "Status completed."


def _put_status(session: Session, folder: Folder, items: list[bytes]) -> None:
    values = [b"%s %d" % (i.upper(), _status_value(session, folder, i.upper())) for i in items]
    if not values:
        raise BadCommandError("empty status list")
    session.put(b"* STATUS ", _name(folder), b" (%s)" % b" ".join(values))


def _status_value(session: Session, folder: Folder, item: bytes) -> int:
    if item == b"HIGHESTMODSEQ" and session.offers("CONDSTORE"):
        return folder.modseq
    if item not in COUNTS:
        raise BadCommandError("unknown status item")
    return COUNTS[item](folder)


COUNTS: dict[bytes, Callable[[Folder], int]] = {
    b"MESSAGES": lambda f: len(f.entries),
    b"RECENT": lambda _f: 0,
    b"UIDNEXT": lambda f: f.uidnext,
    b"UIDVALIDITY": lambda f: f.uidvalidity,
    b"UNSEEN": lambda f: sum("\\Seen" not in e.flags for e in f.entries),
}


def select(session: Session, command: Command) -> str:
    return _open(session, command, read_only=False)


def examine(session: Session, command: Command) -> str:
    return _open(session, command, read_only=True)


def _open(session: Session, command: Command, *, read_only: bool) -> str:
    name = text_at(command.arguments(), 0)
    session.selected = None  # a failed SELECT leaves nothing selected (RFC 3501 6.3.1)
    folder = existing(session, name)
    if not folder.is_selectable:
        raise RefusedError("[NONEXISTENT] Mailbox cannot be selected")
    session.selected = Selected(folder, read_only)
    kept = b"" if read_only else FLAGS + b" \\*"
    session.put(b"* FLAGS (", FLAGS, b")")
    session.put(b"* OK [PERMANENTFLAGS (", kept, b")] Flags permitted.")
    session.put(b"* %d EXISTS" % len(folder.entries))
    session.put(b"* 0 RECENT")
    session.put(b"* OK [UIDVALIDITY %d] UIDs valid" % folder.uidvalidity)
    session.put(b"* OK [UIDNEXT %d] Predicted next UID" % folder.uidnext)
    if session.offers("CONDSTORE"):
        session.put(b"* OK [HIGHESTMODSEQ %d] Highest" % folder.modseq)
    return f"[READ-{'ONLY' if read_only else 'WRITE'}] {command.name.title()} completed."


def unselect(session: Session, _command: Command) -> str:
    session.open_folder()
    session.selected = None
    return "Unselect completed."


def close(session: Session, _command: Command) -> str:
    selected = session.open_folder()
    if not selected.read_only:
        folder = selected.folder
        folder.remove([e for e in folder.entries if "\\Deleted" in e.flags])
    session.selected = None
    return "Close completed."


def create(session: Session, command: Command) -> str:
    name = decode_folder(text_at(command.arguments(), 0)).rstrip("/")
    mailbox = session.owner()
    if not name or len(name) > MAX_NAME:
        raise RefusedError("[CANNOT] Invalid mailbox name")
    if mailbox.folder(name) is not None:
        raise RefusedError("[ALREADYEXISTS] Mailbox already exists")
    if len(mailbox.folders) >= MAX_FOLDERS:
        raise RefusedError("[LIMIT] Too many mailboxes")
    mailbox.folders[name] = Folder(name)
    return "Create completed."


def subscribe(session: Session, command: Command) -> str:
    existing(session, text_at(command.arguments(), 0))
    return f"{command.name.title()} completed."


def namespace(session: Session, _command: Command) -> str:
    session.put(b'* NAMESPACE (("" "/")) NIL NIL')
    return "Namespace completed."
