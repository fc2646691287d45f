"""Which folder is what: by SPECIAL-USE, then by the provider's facts, then by its name."""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.core.campaigns import Role
from monitor.core.seeds import ProviderFacts
from monitor.mailboxes.imap_wire import Listed

MAX_FOLDERS = 40  # a seed mailbox has about ten
MAX_NAME = 500  # bytes

# RFC 6154. What shows mail that lies elsewhere too, or that the owner wrote, is left out.
_SPECIAL_USE = {"\\junk": Role.SPAM, "\\trash": Role.TRASH, "\\archive": Role.OTHER}
_NEVER = {
    "\\noselect",
    "\\nonexistent",
    "\\all",
    "\\flagged",
    "\\important",
    "\\drafts",
    "\\sent",
}
_NEVER_NAMES = {
    "all mail",
    "drafts",
    "draft",
    "outbox",
    "sent",
    "sent items",
    "sent mail",
    "sent messages",
    "entwürfe",
    "gesendet",
    "gesendete elemente",
    "brouillons",
    "envoyés",
    "éléments envoyés",
    "borradores",
    "enviados",
    "elementos enviados",
    "bozze",
    "inviati",
    "posta inviata",
}
_NAMES = {
    Role.SPAM: {
        "bulk",
        "bulk mail",
        "junk",
        "junk e-mail",
        "junk email",
        "junk mail",
        "spam",
        "junk-e-mail",
        "spamverdacht",
        "courrier indésirable",
        "indésirables",
        "pourriel",
        "correo no deseado",
        "no deseado",
        "posta indesiderata",
        "indesiderata",
    },
    Role.QUARANTINE: {"quarantine", "quarantäne", "quarantaine", "cuarentena", "quarantena"},
    Role.TRASH: {
        "bin",
        "deleted",
        "deleted items",
        "deleted messages",
        "trash",
        "papierkorb",
        "gelöscht",
        "gelöschte elemente",
        "gelöschte objekte",
        "corbeille",
        "éléments supprimés",
        "papelera",
        "elementos eliminados",
        "cestino",
        "posta eliminata",
        "elementi eliminati",
    },
}
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


def places(listed: Iterable[Listed], facts: ProviderFacts) -> list[Place]:
    """Return the folders to look into, in the order of `ORDER`, at most MAX_FOLDERS.

    The inbox is always among them: every IMAP server has it under that name.
    """
    found = {b"INBOX": Place(b"INBOX", "INBOX", Role.INBOX)}
    for folder in listed:
        place = _place(folder, facts)
        if place is not None:
            found.setdefault(place.raw, place)
    return sorted(found.values(), key=lambda p: (ORDER.index(p.role), p.name))[:MAX_FOLDERS]


def _place(folder: Listed, facts: ProviderFacts) -> Place | None:
    if (
        folder.attributes & _NEVER
        or len(folder.raw) > MAX_NAME
        or re.search(rb"[\0\r\n]", folder.raw)
    ):
        return None
    if folder.raw.upper() == b"INBOX":
        return None  # there already
    name = decode_name(folder.raw)
    role = _role(folder, name, facts)
    return None if role is None else Place(folder.raw, name, role)


def _role(folder: Listed, name: str, facts: ProviderFacts) -> Role | None:
    for attribute, role in _SPECIAL_USE.items():
        if attribute in folder.attributes:
            return role
    whole = name.casefold()
    leaf = whole.rpartition(folder.delimiter)[2] if folder.delimiter else whole
    for key in (whole, leaf):
        if key in facts.folders:
            return facts.folders[key]
    for role, names in _NAMES.items():
        if leaf in names:
            return role
    return None if leaf in _NEVER_NAMES else Role.OTHER


def decode_name(raw: bytes) -> str:
    """Decode a folder name from modified UTF-7 (RFC 3501 section 5.1.3), for people to read."""
    text = raw.decode("utf-8", "replace")
    name = re.sub(r"&([^-]*)-", lambda found: _shifted(found[1], found[0]), text)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)


def _shifted(code: str, whole: str) -> str:
    if not code:
        return "&"
    padded = code.replace(",", "/") + "=" * (-len(code) % 4)
    try:
        return base64.b64decode(padded, validate=True).decode("utf-16-be", "replace")
    except (binascii.Error, ValueError):
        return whole
