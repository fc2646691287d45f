"""IMAP commands about folders: LIST, STATUS, SELECT and their kin."""

import re
from collections.abc import Callable

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
NOT_SPECIAL = {"\\Noselect", "\\Noinferiors", "\\HasChildren", "\\HasNoChildren"}
MAX_FOLDERS = 1000
SELECT_OPTIONS = {b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"}
RETURN_OPTIONS = {b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE", b"STATUS"}


def existing(session: Session, name: bytes) -> Folder:
    folder = session.owner().folder(decode_folder(name))
    if folder is None:
        raise RefusedError("[NONEXISTENT] Mailbox doesn't exist")
    return folder


def list_folders(session: Session, command: Command) -> str:
    """LIST, with RFC 5258 and 5819 where the provider offers them."""
    tokens = command.tokens()
    only = _selection(session, tokens)
    reference, patterns = text_at(tokens, 0), _patterns(session, tokens)
    status = _return_status(session, tokens[2:])
    if patterns == [b""]:
        session.put(b'* LIST (\\Noselect) "/" ""')
        return "List completed."
    matcher = _matcher([reference + p for p in patterns])
    for folder in session.owner().folders.values():
        special = [a for a in folder.attributes if a not in NOT_SPECIAL]
        if not matcher.fullmatch(folder.name) or (b"SPECIAL-USE" in only and not special):
            continue
        session.put(b"* LIST (%s)" % _attributes(session, folder), b' "/" ', _name(folder))
        if status and folder.is_selectable:
            _put_status(session, folder, status)
    return "List completed."


def _attributes(session: Session, folder: Folder) -> bytes:
    prefix = folder.name + "/"
    has_children = any(n.startswith(prefix) for n in session.owner().folders)
    children = "\\HasChildren" if has_children else "\\HasNoChildren"
    return " ".join((*folder.attributes, children)).encode("ascii")


def _name(folder: Folder) -> bytes:
    return quoted(encode_folder(folder.name))


def _selection(session: Session, tokens: list[Argument]) -> set[bytes]:
    """Take the selection options of an extended LIST off the front of *tokens*."""
    if not tokens or not isinstance(tokens[0], list):
        return set()
    options = {o.upper() for o in list_at(tokens, 0)}
    if not _is_extended(session) or options - SELECT_OPTIONS:
        raise BadCommandError("extended LIST")
    del tokens[0]
    return options


def _is_extended(session: Session) -> bool:
    return any(session.offers(c) for c in ("LIST-EXTENDED", "SPECIAL-USE", "LIST-STATUS"))


def _patterns(session: Session, tokens: list[Argument]) -> list[bytes]:
    if len(tokens) > 1 and isinstance(tokens[1], list):
        if not _is_extended(session):
            raise BadCommandError("extended LIST")
        return list_at(tokens, 1)
    return [text_at(tokens, 1)]


def _return_status(session: Session, tokens: list[Argument]) -> list[bytes]:
    """Read RETURN (...); give the items of its STATUS, if it asks for that."""
    if not tokens:
        return []
    if text_at(tokens, 0).upper() != b"RETURN" or not _is_extended(session) or len(tokens) != 2:
        raise BadCommandError("extended LIST")
    options = tokens[1]
    if not isinstance(options, list):
        raise BadCommandError("extended LIST")
    for at, option in enumerate(options):
        if isinstance(option, list):
            continue
        if option.upper() not in RETURN_OPTIONS:
            raise BadCommandError("unknown return option")
        if option.upper() == b"STATUS":
            return list_at(options, at + 1)
    return []


def _matcher(patterns: list[bytes]) -> re.Pattern[str]:
    """Compile LIST wildcards: * crosses hierarchy levels, % does not."""

    def one(pattern: bytes) -> str:
        # Runs of wildcards say no more than one of them, and would cost time.
        text = re.sub(r"[*%]*\*[*%]*", "*", decode_folder(pattern))
        text = re.sub("%+", "%", text)
        if text.count("*") + text.count("%") > 10:
            raise BadCommandError("too many wildcards")
        escaped = re.escape(text).replace(r"\*", ".*").replace("%", "[^/]*")
        return escaped if text.upper() != "INBOX" else "INBOX"

    return re.compile("|".join(one(p) for p in patterns), re.DOTALL)


def lsub(session: Session, command: Command) -> str:
    """LSUB: everybody is subscribed to everything."""
    tokens = command.tokens()
    matcher = _matcher([text_at(tokens, 0) + text_at(tokens, 1)])
    for folder in session.owner().folders.values():
        if matcher.fullmatch(folder.name):
            session.put(b"* LSUB (%s)" % _attributes(session, folder), b' "/" ', _name(folder))
    return "Lsub completed."


def status(session: Session, command: Command) -> str:
    tokens = command.tokens()
    folder = existing(session, text_at(tokens, 0))
    _put_status(session, folder, list_at(tokens, 1))
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
    name = text_at(command.tokens(), 0)
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
    name = decode_folder(text_at(command.tokens(), 0)).rstrip("/")
    mailbox = session.owner()
    if not name or mailbox.folder(name) is not None:
        raise RefusedError("[ALREADYEXISTS] Mailbox already exists")
    if len(mailbox.folders) >= MAX_FOLDERS:
        raise RefusedError("[LIMIT] Too many mailboxes")
    mailbox.folders[name] = Folder(name)
    return "Create completed."


def subscribe(session: Session, command: Command) -> str:
    existing(session, text_at(command.tokens(), 0))
    return f"{command.name.title()} completed."


def namespace(session: Session, _command: Command) -> str:
    session.put(b'* NAMESPACE (("" "/")) NIL NIL')
    return "Namespace completed."
