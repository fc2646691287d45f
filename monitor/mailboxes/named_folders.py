"""What a folder is for, where its name is all that is known of it."""

import os

from monitor.core.campaigns import Role
from monitor.core.folders import FolderSight
from monitor.core.seeds import ProviderFacts
from monitor.mailboxes.folders import Listing, sights
from monitor.mailboxes.imap_wire import Listed

INBOX = "INBOX"


def sight_named(name: str, facts: ProviderFacts, *, delimiter: str = "/") -> FolderSight:
    """Say what the folder *name* is for, by the provider's names and the usual words.

    Args:
        name: as a system calls it, or as a directory is called; modified UTF-7 is understood.
    """
    if name.upper() == INBOX or not name:
        return FolderSight(INBOX, Role.INBOX, "it is the inbox")
    listed = Listed(os.fsencode(name), frozenset(), delimiter)
    seen = [s for s in sights(Listing([listed]), facts) if s.name.upper() != INBOX]
    return seen[0] if seen else FolderSight(name, None, "its name cannot be understood")
