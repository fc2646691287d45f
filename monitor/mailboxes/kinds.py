"""Which reader a seed has, by name. A new kind is one file and one line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from monitor.core.errors import BadInputError
from monitor.core.ports import Mailbox, TokenSource
from monitor.core.providers import nearest
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.budget import Budget, Share
from monitor.mailboxes.drop import DropMailbox
from monitor.mailboxes.drop_index import Drop
from monitor.mailboxes.gmail import GmailMailbox
from monitor.mailboxes.graph import CombinedMailbox, GraphTenant
from monitor.mailboxes.graph_mail import open_graph
from monitor.mailboxes.imap import ImapMailbox
from monitor.mailboxes.inbound import InboundMailbox, Reports
from monitor.mailboxes.jmap import JmapMailbox, open_jmap


@dataclass(frozen=True, slots=True)
class ReaderParts:
    """What readers need besides the account: all that the configuration says of them."""

    timeout_s: float
    ca_file: str | None = None
    tenants: Mapping[str, GraphTenant] = field(default_factory=dict)  # by the seeds' names
    tokens: Callable[[Account], TokenSource] | None = None  # for an account with `oauth`
    drops: Mapping[str, Drop] = field(default_factory=dict)  # by the seeds' names
    reports: Reports | None = None  # what web hooks have told; None: there is no such hook
    budget: Budget | None = None  # of connections, shared by all mailboxes of the process


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
    return ImapMailbox(
        account,
        facts,
        timeout_s=parts.timeout_s,
        ca_file=parts.ca_file,
        tokens=_tokens(account, parts) if account.oauth else None,
        budget=parts.budget,
    )


def _imap_and_graph(account: Account, facts: ProviderFacts, parts: ReaderParts) -> Mailbox:
    tenant = _tenant(account, parts)
    return CombinedMailbox(_imap(account, facts, parts), tenant, account.address)


def _graph(account: Account, facts: ProviderFacts, parts: ReaderParts) -> Mailbox:
    """Read by the grant of the mailbox's owner if there is one, else as the tenant's app."""
    tenant = _tenant(account, parts) if account.tenant or not account.oauth else None
    tokens = _tokens(account, parts) if account.oauth else None
    share = _share(account, facts, parts)
    mailbox = open_graph(account, tenant, tokens, timeout_s=parts.timeout_s, share=share)
    return mailbox if tenant is None else CombinedMailbox(mailbox, tenant, account.address)


def _gmail(account: Account, facts: ProviderFacts, parts: ReaderParts) -> GmailMailbox:
    share = _share(account, facts, parts)
    return GmailMailbox(_tokens(account, parts), timeout_s=parts.timeout_s, share=share)


def _jmap(account: Account, facts: ProviderFacts, parts: ReaderParts) -> JmapMailbox:
    tokens = _tokens(account, parts) if account.oauth else None
    return open_jmap(
        account,
        facts,
        tokens,
        timeout_s=parts.timeout_s,
        ca_file=parts.ca_file,
        share=_share(account, facts, parts),
    )


def _share(account: Account, facts: ProviderFacts, parts: ReaderParts) -> Share | None:
    return Share(parts.budget, facts, account.address) if parts.budget else None


def _tokens(account: Account, parts: ReaderParts) -> TokenSource:
    if parts.tokens is None or not account.oauth:
        remedy = "Name an [oauth.NAME] of the configuration in the seed list."
        raise BadInputError("oauth", account.oauth, "is not configured", remedy=remedy)
    return parts.tokens(account)


def _tenant(account: Account, parts: ReaderParts) -> GraphTenant:
    if account.tenant not in parts.tenants:
        remedy = f"Add [tenants.{account.tenant or 'NAME'}] to the configuration."
        raise BadInputError("tenant", account.tenant, "is not configured", remedy=remedy)
    return parts.tenants[account.tenant]


def _drop(account: Account, facts: ProviderFacts, parts: ReaderParts) -> Mailbox:
    drop = parts.drops.get(account.drop)
    if drop is None:
        remedy = f"Add [drops.{account.drop or 'NAME'}] to the configuration."
        raise BadInputError("drop", account.drop, "is not configured", remedy=remedy)
    return DropMailbox(account, facts, drop)


def _inbound(account: Account, facts: ProviderFacts, parts: ReaderParts) -> Mailbox:
    if parts.reports is None:
        remedy = "Write a key into [inbound]: docs/reading.md says what then calls the hook."
        raise BadInputError("inbound.key", "", "is empty", remedy=remedy)
    return InboundMailbox(account, facts, parts.reports)


_OPENERS: Mapping[str, Opener] = {
    "imap": _imap,
    "imap+graph": _imap_and_graph,
    "graph": _graph,
    "gmail": _gmail,
    "jmap": _jmap,
    "drop": _drop,
    "inbound": _inbound,
}
READERS = tuple(_OPENERS)
