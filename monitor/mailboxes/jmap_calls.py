"""The method calls of JMAP that one look is made of; every one of them only reads.

Sources: RFC 8620 section 3 (calls, result references) and RFC 8621 sections 2 and 4.
"""

from collections.abc import Sequence

from monitor.bounded_http import Json
from monitor.core.campaigns import Wanted
from monitor.evidence.stamp import TEST_HEADER
from monitor.mailboxes.candidates import ids_of
from monitor.mailboxes.jmap_session import Session

PAGE = 100  # messages of one answer

_PROPERTIES = ["id", "blobId", "mailboxIds", "receivedAt", "headers"]


def read_calls(session: Session, message_id: str, *, known: str | None) -> list[list[Json]]:
    """Ask for the blob of a copy, by its id where that is known."""
    if known is not None:
        return [_get_call(session, [known], ["id", "blobId"])]
    query: dict[str, Json] = {
        "accountId": session.account,
        "filter": _header("Message-ID", message_id),
        "limit": 1,
    }
    return [["Email/query", query, "q"], _fetch_call(session, ["id", "blobId"])]


def folders_call(session: Session) -> list[Json]:
    """Ask for all folders and what they are for."""
    arguments: Json = {
        "accountId": session.account,
        "ids": None,
        "properties": ["id", "name", "role"],
    }
    return ["Mailbox/get", arguments, "m"]


def _get_call(session: Session, keys: Sequence[str], properties: Sequence[str]) -> list[Json]:
    arguments: Json = {
        "accountId": session.account,
        "ids": list(keys),
        "properties": list(properties),
    }
    return ["Email/get", arguments, "e"]


def search_calls(session: Session, wanted: Sequence[Wanted], position: int) -> list[list[Json]]:
    """Search for any of our marks, newest first, and fetch what is found."""
    query: dict[str, Json] = {
        "accountId": session.account,
        "filter": {"operator": "OR", "conditions": _marks(wanted)},
        "sort": [{"property": "receivedAt", "isAscending": False}],
        "position": position,
        "limit": PAGE,
    }
    return [["Email/query", query, "q"], _fetch_call(session, _PROPERTIES)]


def _fetch_call(session: Session, properties: Sequence[str]) -> list[Json]:
    """Fetch what the search of the same request finds (RFC 8620 section 3.7)."""
    found: Json = {"resultOf": "q", "name": "Email/query", "path": "/ids"}
    arguments: Json = {
        "accountId": session.account,
        "#ids": found,
        "properties": list(properties),
    }
    return ["Email/get", arguments, "e"]


def _marks(wanted: Sequence[Wanted]) -> list[Json]:
    """Conditions that are worth a look; what they find is compared by its own headers."""
    names = [_header("Message-ID", name) for w in wanted for name in ids_of(w)]
    tokens = {w.token for w in wanted if w.token}
    headers = [_header(TEST_HEADER, token) for token in sorted(tokens)]
    weak: list[Json] = [
        {"from": w.from_address, "subject": w.subject, "after": f"{w.sent_at:%Y-%m-%dT%H:%M:%SZ}"}
        for w in wanted
        if w.from_address and w.subject
    ]
    return [*names, *headers, *weak]


def _header(name: str, value: str) -> dict[str, Json]:
    return {"header": [name, value]}
