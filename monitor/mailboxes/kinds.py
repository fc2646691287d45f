"""Which reader a seed has, by name. A new kind is one file and one line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from monitor.core.errors import BadInputError
from monitor.core.ports import Mailbox, TokenSource
from monitor.core.providers import nearest
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.graph import CombinedMailbox, GraphTenant
from monitor.mailboxes.imap import ImapMailbox


@dataclass(frozen=True, slots=True)
class ReaderParts:
    """What readers need besides the account: all that the configuration says of them."""

    timeout_s: float
    ca_file: str | None = None
    tenants: Mapping[str, GraphTenant] = field(default_factory=dict)  # by the seeds' names
    tokens: Callable[[Account], TokenSource] | None = None  # for an account with `oauth`


Opener: TypeAlias = Callable[[Account, ProviderFacts, ReaderParts], Mailbox]


def open_mailbox(account: Account, facts: ProviderFacts | None, parts: ReaderParts) -> Mailbox:
    """Return the mailbox of *account*; nothing is connected to yet.

    Without a reader's name, an account with a tenant gets the one that asks the tenant too.

    Args:
        facts: of its provider; None if nothing is known of it.

    Raises:
        BadInputError: no such reader, or what it needs is not configured.
        NotFoundError: no server is known for the account.
    """
    reader = account.reader or ("imap+graph" if account.tenant else "imap")
    opener = _OPENERS.get(reader)
    if opener is None:
        raise BadInputError("reader", reader, "is not known", remedy=nearest(reader, READERS))
    known = facts or ProviderFacts(account.provider, account.provider, (), None, {})
    return opener(account, known, parts)


def _imap(account: Account, facts: ProviderFacts, parts: ReaderParts) -> ImapMailbox:
    return ImapMailbox(account, facts, timeout_s=parts.timeout_s, ca_file=parts.ca_file)


def _imap_and_graph(account: Account, facts: ProviderFacts, parts: ReaderParts) -> Mailbox:
    tenant = _tenant(account, parts)
    return CombinedMailbox(_imap(account, facts, parts), tenant, account.address)


def _tenant(account: Account, parts: ReaderParts) -> GraphTenant:
    if account.tenant not in parts.tenants:
        remedy = f"Add [tenants.{account.tenant or 'NAME'}] to the configuration."
        raise BadInputError("tenant", account.tenant, "is not configured", remedy=remedy)
    return parts.tenants[account.tenant]


_OPENERS: Mapping[str, Opener] = {
    "imap": _imap,
    "imap+graph": _imap_and_graph,
}
READERS = tuple(_OPENERS)
