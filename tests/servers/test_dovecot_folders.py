"""Namespaces with a prefix, other people's folders, and names in French, on a real Dovecot."""

import pytest

from monitor.core.campaigns import Role, Wanted
from monitor.core.clock import SystemClock
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.imap import ImapMailbox
from tests.edges.conftest import make_letter
from tests.servers.dovecot import Dovecot, dovecot

pytestmark = pytest.mark.real

FACTS = ProviderFacts("own", "Own", (), None, {})
FRENCH = {
    "Courrier indésirable": "",
    "Éléments supprimés": "",
    "Éléments envoyés": "",
    "Marque": "",
}


def open_seed(server: Dovecot) -> ImapMailbox:
    account = Account("seed", "own", server.endpoint, "seed", "pw")
    return ImapMailbox(account, FACTS, timeout_s=10)


def test_french_folders_below_a_prefix_are_told_and_read() -> None:
    with dovecot(FRENCH, separator=".", prefix="INBOX.", is_shared=True) as server:
        server.doveadm("mailbox", "create", "-u", "seed", "public.Junk")
        server.deliver("seed", make_letter(1), folder="INBOX.Courrier indésirable")
        server.deliver("seed", make_letter(2), folder="public.Junk")
        reader = open_seed(server)
        now = SystemClock().now()
        copies = [Wanted(f"<{n}@brand.example>", f"tok{n}", now) for n in (1, 2)]

        assert [(c.folder, c.role) for c in reader.look(copies)] == [
            ("INBOX.Courrier indésirable", Role.SPAM)
        ]
        told = {sight.name: (sight.role, sight.why) for sight in reader.layout()}
        reader.close()

    assert told.pop("public.Junk") == (None, "the server says that it is shared, or another user's")
    for parent in ("public", "shared"):
        assert told.pop(parent, (None, ""))[0] is None
    assert told == {
        "INBOX": (Role.INBOX, "it is the inbox"),
        "INBOX.Courrier indésirable": (Role.SPAM, "its name means spam"),
        "INBOX.Éléments supprimés": (Role.TRASH, "its name means trash"),
        "INBOX.Éléments envoyés": (None, "its name means drafts, sent mail or all mail"),
        "INBOX.Marque": (
            Role.OTHER,
            "nothing tells what it is for: a rule may file mail into it",
        ),
    }
