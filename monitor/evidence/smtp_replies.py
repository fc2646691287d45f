"""What a server meant by the words with which it refused or deferred a message.

What providers print often blames the sender for a fault of the provider's own: a block
list entry that thousands share for an hour, "no such user" for mailboxes that are there.
So a meaning repeats what the provider claims, and the judge goes by what happens to other
senders, never by these words.

The table of known replies is data (seedlists/replies.toml); `read_table` checks its text,
and whoever may read files hands it in.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from monitor.core.errors import BadInputError
from monitor.evidence import enhanced, pages

MAX_REPLY = 4000  # characters; RFC 5321 allows 512 a line
# At the beginning, or after "host mx.example.net [192.0.2.7]:" and "said:".
_CODE = re.compile(r"(?:^|:\s|')([245]\d\d)(?=[ :-]|$)")
MAX_ROWS = 5000


class Kind(StrEnum):
    REPUTATION = "reputation"
    AUTHENTICATION = "authentication"
    CONTENT = "content"
    POLICY = "policy"
    MAILBOX_FULL = "mailbox_full"
    NO_SUCH_USER = "no_such_user"
    THROTTLED = "throttled"
    BLOCKLIST = "blocklist"
    OUTBOUND_BLOCKED = "outbound_blocked"
    TEMPORARY = "temporary"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Known:
    """One row: whose words, what kind, the words that must be there, what they claim.

    `provider` is an id of seedlists/providers, None where many use the same words. Of
    `one_of`, if there are any, at least one must be there too. Rows that are last count
    only where the enhanced status code names no kind of failure.
    """

    source: str
    provider: str | None
    kind: Kind
    words: tuple[str, ...]
    one_of: tuple[str, ...]
    meaning: str
    page: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What is understood of a reply; None stands for what it does not say.

    `code` is the three digits, `status` the enhanced code; `source` is whose words they are
    known to be, `page` where that one, or the standard, explains them.
    """

    code: int | None
    status: str | None
    kind: Kind
    meaning: str | None
    provider: str | None = None
    source: str | None = None
    page: str | None = None


# The kind of failure that an enhanced status code names by itself.
_BY_DETAIL = {
    **dict.fromkeys(("1.1", "1.2", "1.3", "1.6", "1.10", "2.1"), Kind.NO_SUCH_USER),
    **dict.fromkeys(("2.2",), Kind.MAILBOX_FULL),
    **dict.fromkeys(("2.3", "3.4"), Kind.POLICY),
    **dict.fromkeys(("7.20", "7.21", "7.22", "7.23", "7.24", "7.26", "7.29"), Kind.AUTHENTICATION),
    **dict.fromkeys(("7.25", "7.27", "7.10", "1.7", "1.8"), Kind.POLICY),
    **dict.fromkeys(("7.28", "4.5"), Kind.THROTTLED),
    **dict.fromkeys(("3.1", "3.2", "4.1", "4.2", "4.3", "4.7"), Kind.TEMPORARY),
}


def read(reply: str, known: Sequence[Known], host: str = "") -> Reply:
    """Say what *reply* means. Never raises; linear in the length of the reply.

    Args:
        reply: as the server sent it, with or without its codes; lines may be joined.
        known: the table, in its order.
        host: name of the server that said so, where it is known: some systems pass on the
            first line alone of a reply that gives its name in the last.
    """
    text = " ".join(reply[:MAX_REPLY].split())
    lowered = text.lower()
    status = enhanced.find(text)
    code = code_of(text)
    says = host.lower()
    row = next((one for one in known if not one.is_last and _fits(one, lowered, says)), None)
    if row is None and (status is None or status.detail not in _BY_DETAIL):
        row = next((one for one in known if one.is_last and _fits(one, lowered, says)), None)
    shown = status.code if status else None
    if row is not None:
        return Reply(code, shown, row.kind, row.meaning, row.provider, row.source, row.page)
    if status is None:
        return Reply(code, None, _by_code(code), None)
    has_failed = not status.code.startswith("2")
    kind = _BY_DETAIL.get(status.detail, Kind.UNKNOWN) if has_failed else Kind.UNKNOWN
    if kind is Kind.UNKNOWN and has_failed and not status.is_permanent:
        kind = Kind.TEMPORARY
    meaning = f"{status.meaning[:1].upper()}{status.meaning[1:]}." if status.meaning else None
    return Reply(code, shown, kind, meaning, page=pages.IANA_STATUS if meaning else None)


def read_table(text: str) -> tuple[Known, ...]:
    """Read the table of known replies.

    Raises:
        BadInputError: no TOML, or a row that is not [kind, words, meaning].
    """
    try:
        sources = tomllib.loads(text).get("source", [])
        found = [_known(source, row) for source in sources for row in source["replies"]]
    except (tomllib.TOMLDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            "table of replies",
            "replies.toml",
            f"cannot be read ({error})",
            remedy='Write rows as ["kind", "words + more words", "meaning"].',
        ) from error
    return tuple(found[:MAX_ROWS])


def _known(source: dict[str, Any], row: Sequence[str]) -> Known:
    kind, words, meaning = row
    return Known(
        source=source["name"],
        provider=source.get("provider"),
        kind=Kind(kind),
        words=tuple(word.strip().lower() for word in words.split(" + ")),
        one_of=tuple(word.lower() for word in source.get("one_of", ())),
        meaning=meaning,
        page=source["page"],
        is_last=bool(source.get("is_last", False)),
    )


def _fits(known: Known, lowered: str, host: str) -> bool:
    if known.one_of and not any(word in lowered or word in host for word in known.one_of):
        return False
    return all(word in lowered for word in known.words)


def code_of(text: str) -> int | None:
    """The three digits of a reply within *text*; None without any."""
    match = _CODE.search(text)
    return int(match[1]) if match else None


def _by_code(code: int | None) -> Kind:
    return Kind.TEMPORARY if code is not None and 400 <= code < 500 else Kind.UNKNOWN
