"""Which reader a seed has, by name."""

from collections.abc import Mapping

from monitor.core.errors import BadInputError
from monitor.core.ports import Mailbox
from monitor.core.providers import nearest
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.graph import CombinedMailbox, GraphTenant
from monitor.mailboxes.imap import ImapMailbox

IMAP = "imap"
IMAP_AND_GRAPH = "imap+graph"
READERS = (IMAP, IMAP_AND_GRAPH)


def open_mailbox(
    account: Account,
    facts: ProviderFacts | None,
    *,
    tenants: Mapping[str, GraphTenant],
    timeout_s: float,
    ca_file: str | None = None,
) -> Mailbox:
    """Return the mailbox of *account*; nothing is connected to yet.

    Without a reader's name, an account with a tenant gets the one that asks the tenant too.

    Args:
        facts: of its provider; None if nothing is known of it.
        tenants: by the names that seed lists use.

    Raises:
        BadInputError: no such reader, or no such tenant.
    """
    reader = account.reader or (IMAP_AND_GRAPH if account.tenant else IMAP)
    if reader not in READERS:
        raise BadInputError("reader", reader, "is not known", remedy=nearest(reader, READERS))
    known = facts or ProviderFacts(account.provider, account.provider, (), None, {})
    imap = ImapMailbox(account, known, timeout_s=timeout_s, ca_file=ca_file)
    if reader == IMAP:
        return imap
    if account.tenant not in tenants:
        remedy = f"Add [tenants.{account.tenant or 'NAME'}] to the configuration."
        raise BadInputError("tenant", account.tenant, "is not configured", remedy=remedy)
    return CombinedMailbox(imap, tenants[account.tenant], account.address)
