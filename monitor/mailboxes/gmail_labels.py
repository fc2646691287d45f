"""What Gmail's labels say of the place of a message.

Source: developers.google.com, Gmail API v1, "Manage labels".
"""

from dataclasses import dataclass

from monitor.core.campaigns import Role
from monitor.core.folders import FolderSight
from monitor.mailboxes.http_mail import Row, shown, text

_TABS = {
    "CATEGORY_PROMOTIONS": "promotions",
    "CATEGORY_SOCIAL": "social",
    "CATEGORY_UPDATES": "updates",
    "CATEGORY_FORUMS": "forums",
}
_OWN = {"SENT", "DRAFT"}
_PLACES = {"INBOX": Role.INBOX, "SPAM": Role.SPAM, "TRASH": Role.TRASH}


@dataclass(frozen=True, slots=True)
class Place:
    folder: str
    role: Role
    tab: str = ""


def place_of(message: Row) -> Place | None:
    """Return where a message is by its labels; None if it was written here, not received."""
    labels = message.get("labelIds")
    names = {one for one in labels if isinstance(one, str)} if isinstance(labels, list) else set()
    if "TRASH" in names:
        return Place("TRASH", Role.TRASH)
    if "SPAM" in names:
        return Place("SPAM", Role.SPAM)
    if "INBOX" in names:
        tab = next((tab for label, tab in _TABS.items() if label in names), "")
        return Place("INBOX", Role.TAB if tab else Role.INBOX, tab)
    if names & _OWN:
        return None
    return Place("All Mail", Role.OTHER)  # archived, or filed away by a filter


def sight(label: Row) -> FolderSight:
    """Say what a label tells of the place, for people who check a seed."""
    key, name = text(label, "id"), shown(text(label, "name"))
    if key in _PLACES:
        return FolderSight(name, _PLACES[key], f"it is Gmail's label {key}")
    if key in _TABS:
        return FolderSight(name, Role.TAB, f"it is Gmail's category {_TABS[key]}")
    if text(label, "type").lower() == "user":
        return FolderSight(name, Role.OTHER, "it is a label of the owner's own")
    return FolderSight(name, None, "it does not tell where received mail is")
