"""Messages and folders as Graph describes them, and the queries that find them.

Sources: learn.microsoft.com, "List messages", "message" and "mailFolder" (well-known names) of
Graph v1.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.core.campaigns import Role, Wanted
from monitor.mailboxes.candidates import Candidate, header_block, ids_of, moment
from monitor.mailboxes.graph_batch import encoded
from monitor.mailboxes.http_mail import Row, rows, text

PAGE = 50
MAX_SAME = 10  # messages with one Message-ID

FIELDS = (
    "id,internetMessageId,parentFolderId,receivedDateTime,inferenceClassification,"
    "internetMessageHeaders"
)
# Well-known names are the same in every language. None: the owner's own mail, not received.
WELL_KNOWN: dict[str, Role | None] = {
    "inbox": Role.INBOX,
    "junkemail": Role.SPAM,
    "deleteditems": Role.TRASH,
    "archive": Role.OTHER,
    "recoverableitemsdeletions": Role.TRASH,
    "drafts": None,
    "sentitems": None,
    "outbox": None,
}


@dataclass(frozen=True, slots=True)
class Folder:
    name: str
    role: Role | None
    known_as: str = ""  # its well-known name; "" for one of the owner's own


def by_ids(wanted: Wanted) -> str:
    """Return the query for a copy by any of its Message-IDs."""
    return f"{id_filter(ids_of(wanted))}&$select={FIELDS}&$top={MAX_SAME}"


def id_filter(ids: Sequence[str]) -> str:
    """Return the filter for messages with one of these Message-IDs."""
    quoted = ["'" + one.replace("'", "''") + "'" for one in ids]
    clauses = " or ".join(f"internetMessageId eq {one}" for one in quoted)
    return f"$filter={encoded(clauses)}"


def come_since(earliest: datetime) -> str:
    """Return the query for messages that came since *earliest* (UTC), newest first."""
    clause = encoded(f"receivedDateTime ge {earliest:%Y-%m-%dT%H:%M:%SZ}")
    order = encoded("receivedDateTime desc")
    return f"$filter={clause}&$orderby={order}&$select={FIELDS}&$top={PAGE}"


def candidate(key: str, message: Row, folder: Folder, role: Role) -> Candidate:
    """Describe a message; the focused inbox's "Other" is what other providers call a tab."""
    is_other = role is Role.INBOX and text(message, "inferenceClassification").lower() == "other"
    return Candidate(
        key=key,
        folder=folder.name,
        role=Role.TAB if is_other else role,
        tab="Other" if is_other else "",
        headers=_headers(message),
        received_at=moment(message.get("receivedDateTime")),
    )


def _headers(message: Row) -> bytes:
    """Write the header block; mail from within the tenant has none but its Message-ID."""
    pairs = [
        (text(row, "name"), text(row, "value"))
        for row in rows(message.get("internetMessageHeaders"))
    ]
    if not any(name.lower() == "message-id" for name, _ in pairs):
        pairs.insert(0, ("Message-ID", text(message, "internetMessageId")))
    return header_block(pairs)
