"""Which folder is what: by SPECIAL-USE, then by the provider's facts, then by its name."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.core.campaigns import Role
from monitor.core.folders import FolderSight
from monitor.core.seeds import ProviderFacts
from monitor.mailboxes.folder_names import NAMES, NEVER
from monitor.mailboxes.imap_wire import Listed

MAX_FOLDERS = 40  # a seed mailbox has about ten
MAX_NAME = 500  # bytes
MAX_SIGHTS = 1000  # folders that are told of

# RFC 6154. What shows mail that lies elsewhere too, or that the owner wrote, is left out.
_SPECIAL_USE = {"\\junk": Role.SPAM, "\\trash": Role.TRASH, "\\archive": Role.OTHER}
_NEVER = {
    "\\noselect": "the server says that it cannot be opened",
    "\\nonexistent": "the server says that it does not exist",
    "\\all": "the server marks it \\All: it shows mail that lies elsewhere",
    "\\flagged": "the server marks it \\Flagged: it shows mail that lies elsewhere",
    "\\important": "the server marks it \\Important: it shows mail that lies elsewhere",
    "\\drafts": "the server marks it \\Drafts: the owner writes there",
    "\\sent": "the server marks it \\Sent: the owner's own mail",
}
_CLOSED = (_NEVER["\\noselect"], _NEVER["\\nonexistent"])  # which says nothing of what is below
# Where a copy lies in several folders at once, the first of these is where it counts.
ORDER = (Role.INBOX, Role.TAB, Role.SPAM, Role.QUARANTINE, Role.TRASH, Role.OTHER)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that is worth a look."""

    raw: bytes  # for EXAMINE
    name: str  # for people
    role: Role

    @property
    def tab(self) -> str:
        return self.name if self.role is Role.TAB else ""


INBOX = Place(b"INBOX", "INBOX", Role.INBOX)


@dataclass(frozen=True, slots=True)
class Listing:
    """The folders of a mailbox as a server lists them."""

    folders: Sequence[Listed]
    own: Sequence[bytes] = ()  # prefixes of the owner's folders, such as b"INBOX."
    foreign: Sequence[bytes] = ()  # of other people's, and of shared ones


def places(listing: Listing, facts: ProviderFacts) -> list[Place]:
    """Return the folders to look into, in the order of `ORDER`, at most MAX_FOLDERS.

    The inbox is always among them: every IMAP server has it under that name.
    """
    found = {INBOX.raw: INBOX}
    for folder, sight in _judged(listing, facts):
        if sight.role is not None and sight.role is not Role.INBOX:
            found.setdefault(folder.raw, Place(folder.raw, sight.name, sight.role))
    return sorted(found.values(), key=lambda p: (ORDER.index(p.role), p.name))[:MAX_FOLDERS]


def sights(listing: Listing, facts: ProviderFacts) -> list[FolderSight]:
    """Say of every folder what it is for, and why we think so; those to look into first."""
    seen = [sight for _, sight in _judged(listing, facts)]
    if not any(sight.role is Role.INBOX for sight in seen):
        seen.append(FolderSight("INBOX", Role.INBOX, "every server has it"))
    ranks = {role: rank for rank, role in enumerate(ORDER)}
    seen.sort(key=lambda s: (len(ranks) if s.role is None else ranks[s.role], s.name))
    return seen[:MAX_SIGHTS]


def _judged(listing: Listing, facts: ProviderFacts) -> Iterable[tuple[Listed, FolderSight]]:
    judge = _Judge(listing, facts)
    return ((folder, judge.sight(folder)) for folder in listing.folders)


class _Judge:
    """Says what a folder is for."""

    def __init__(self, listing: Listing, facts: ProviderFacts) -> None:
        self._facts = facts
        self._own = [prefix for prefix in listing.own if prefix]
        self._foreign = [prefix for prefix in listing.foreign if prefix]
        self._known = {folder.raw: folder for folder in listing.folders}

    def sight(self, folder: Listed) -> FolderSight:
        name = decode_name(folder.raw[:MAX_NAME])
        role, why = self._role(folder)
        return FolderSight(name, role, why)

    def _role(self, folder: Listed) -> tuple[Role | None, str]:
        if len(folder.raw) > MAX_NAME or re.search(rb"[\0\r\n]", folder.raw):
            return None, "its name is not one that we could ask for"
        if folder.raw.upper() == b"INBOX":
            return Role.INBOX, "it is the inbox"
        if any(folder.raw.startswith(prefix) for prefix in self._foreign):
            return None, "the server says that it is shared, or another user's"
        known = self._by_itself(folder)
        if known is None:
            known = self._by_parent(folder)
        return known or (Role.OTHER, "nothing tells what it is for: a rule may file mail into it")

    def _by_itself(self, folder: Listed) -> tuple[Role | None, str] | None:
        """Judge by attributes and name; None if neither says anything."""
        for attribute, why in _NEVER.items():
            if attribute in folder.attributes:
                return None, why
        for attribute, role in _SPECIAL_USE.items():
            if attribute in folder.attributes:
                return role, f"the server marks it \\{attribute[1:].title()}"
        return self._by_name(folder)

    def _by_name(self, folder: Listed) -> tuple[Role | None, str] | None:
        whole = decode_name(self._below_prefix(folder.raw)).casefold()
        leaf = whole.rpartition(folder.delimiter)[2] if folder.delimiter else whole
        for key in (whole, leaf):
            if key in self._facts.folders:
                role = self._facts.folders[key]
                return role, f"its name is one of {self._facts.name}'s names for {_WORDS[role]}"
        for role, names in NAMES.items():
            if leaf in names:
                return role, f"its name means {_WORDS[role]}"
        if leaf in NEVER:
            return None, "its name means drafts, sent mail or all mail"
        return None

    def _by_parent(self, folder: Listed) -> tuple[Role | None, str] | None:
        """A folder within the spam folder holds spam; one within the inbox may hold anything."""
        mark = folder.delimiter.encode("latin-1", "replace")
        parent = folder.raw
        while mark and mark in parent:
            parent = parent.rpartition(mark)[0]
            above = self._known.get(parent)
            told = self._by_itself(above) if above and parent.upper() != b"INBOX" else None
            if above is not None and told is not None and told[1] not in _CLOSED:
                return told[0], f"it lies within {decode_name(parent)}, and {_again(told[1])}"
        return None

    def _below_prefix(self, raw: bytes) -> bytes:
        prefix = max((p for p in self._own if raw.startswith(p)), key=len, default=b"")
        return raw[len(prefix) :]


_WORDS = {
    Role.INBOX: "inbox",
    Role.TAB: "a tab",
    Role.SPAM: "spam",
    Role.QUARANTINE: "quarantine",
    Role.TRASH: "trash",
    Role.OTHER: "other mail",
}


def _again(why: str) -> str:
    """Say *why* of the folder above: "it" would be this one."""
    return why.replace("marks it", "marks that").replace("its name", "that name", 1)


def decode_name(raw: bytes) -> str:
    """Decode a folder name for people to read: modified UTF-7, or UTF-8.

    Source: RFC 3501 section 5.1.3; RFC 6855 for servers that write UTF-8, where "&" stands
    for itself.
    """
    text = raw.decode("utf-8", "replace")
    name = text if not raw.isascii() else re.sub(r"&([^-]*)-", _shifted, text)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)


def _shifted(found: re.Match[str]) -> str:
    code = found[1]
    if not code:
        return "&"
    padded = code.replace(",", "/") + "=" * (-len(code) % 4)
    try:
        return base64.b64decode(padded, validate=True).decode("utf-16-be", "replace")
    except (binascii.Error, ValueError):
        return found[0]
