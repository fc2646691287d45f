"""A company's mail system: Postfix, Rspamd as its filter, Dovecot with the mailboxes."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.core.providers import parse_provider
from monitor.core.seeds import Account, Endpoint, Security
from monitor.mailboxes.imap import ImapMailbox
from monitor.rendering import data_dir
from monitor.senders.routes import smarthost
from monitor.senders.smtp import SmtpTransport
from tests.servers.delivery import FULL, GONE, PASSWORD, delivery
from tests.servers.postfix import DOMAIN, postfix
from tests.servers.rspamd import rspamd


@dataclass(frozen=True, slots=True)
class Chain:
    """Where to hand mail over, and how to look into a mailbox."""

    filtered: Endpoint  # through Rspamd
    unfiltered: Endpoint
    imap: Endpoint
    folder: Path

    def transport(self, *, is_filtered: bool = True) -> SmtpTransport:
        server = self.filtered if is_filtered else self.unfiltered
        return SmtpTransport(smarthost(server), hostname="monitor.example", timeout_s=30)

    def mailbox(self, user: str) -> ImapMailbox:
        text = (data_dir("seedlists") / "providers" / "corporate.toml").read_text("utf-8")
        facts = parse_provider(text, name="corporate")
        account = Account(f"{user}@{DOMAIN}", "corporate", self.imap, user, PASSWORD)
        return ImapMailbox(account, facts, timeout_s=30)


@contextmanager
def chain(users: Sequence[str]) -> Iterator[Chain]:
    """Run all three with a mailbox for each of *users* (local parts)."""
    # A socket's path must stay short, and its parents open to the users of the servers.
    with tempfile.TemporaryDirectory(prefix="chain-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        milter = stack.enter_context(rspamd(folder / "r"))
        boxes = stack.enter_context(delivery(folder / "d", users=users))
        known = (*users, FULL, GONE)
        doors = stack.enter_context(
            postfix(folder / "p", users=known, lmtp=boxes.lmtp, milter=milter)
        )
        filtered, unfiltered, imap = (
            Endpoint("127.0.0.1", port, Security.PLAIN)
            for port in (doors.filtered, doors.unfiltered, boxes.imap)
        )
        yield Chain(filtered, unfiltered, imap, folder)
