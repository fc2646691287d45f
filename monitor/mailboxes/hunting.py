"""What advanced hunting knows of each message: the questions, and what its rows say.

Sources: learn.microsoft.com, the tables EmailEvents, EmailPostDeliveryEvents, EmailUrlInfo
and UrlClickEvents of Microsoft Defender XDR, and "security: runHuntingQuery" of Graph v1.0.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.bounded_http import Json
from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.mailboxes.candidates import moment
from monitor.mailboxes.http_mail import Row, listed, text
from monitor.tenant import NAME

MAX_IDS = 100  # of one query
MAX_NOTE = 300  # characters
MAX_DOMAINS = 5  # of a note
MAX_CLICKS = 1_000  # of one look

_PATH = "/v1.0/security/runHuntingQuery"
_COLUMNS = (
    "Timestamp",
    "InternetMessageId",
    "NetworkMessageId",
    "RecipientEmailAddress",
    "DeliveryLocation",
    "LatestDeliveryLocation",
    "ThreatTypes",
    "DetectionMethods",
    "ActionType",
    "ActionTrigger",
    "ActionResult",
)
_CLICK_COLUMNS = (
    "Timestamp",
    "NetworkMessageId",
    "Url",
    "ActionType",
    "AccountUpn",
    "Workload",
    "ThreatTypes",
    "IsClickedThrough",
)
_URL_COLUMNS = ("NetworkMessageId", "Url", "UrlDomain", "UrlLocation")
# EmailEvents writes "Inbox/Folder" and "Junk"; other tables and examples write otherwise.
_LOCATIONS = {
    "inbox/folder": Role.INBOX,
    "inbox": Role.INBOX,
    "junk": Role.SPAM,
    "junk folder": Role.SPAM,
    "quarantine": Role.QUARANTINE,
    "deleted items": Role.TRASH,
    "deleted folder": Role.TRASH,
}
_EARLIEST = datetime.min.replace(tzinfo=UTC)

Post = Callable[[str, Mapping[str, str]], Row]


@dataclass(frozen=True, slots=True)
class Traces:
    """What the log knows of some copies."""

    found: tuple[Found, ...]  # where each is by its newest row, if that is a place
    known: frozenset[str]  # Message-IDs of all that have a row, even "Dropped" or "Failed"
    network_ids: Mapping[str, str] = field(default_factory=dict)  # Microsoft's own id -> ours
    pulled: frozenset[str] = frozenset()  # Message-IDs of those that were moved after delivery

    def moved(self, message_id: str) -> dict[str, str]:
        """Return the `network_ids` of a copy that was moved after delivery; else {}."""
        if message_id not in self.pulled:
            return {}
        return {key: ours for key, ours in self.network_ids.items() if ours == message_id}


@dataclass(frozen=True, slots=True)
class Click:
    """Somebody followed a link of a copy through Safe Links, or was kept from it.

    The click may be that of our own link check: `by` says whose account it was.
    """

    message_id: str
    url: str
    action: str  # ClickAllowed, ClickBlocked, ...: Microsoft's own word
    is_through: bool  # did the reader get to the address itself?
    at: datetime | None
    by: str
    workload: str  # Email, Teams, Office
    threats: str = ""


@dataclass(frozen=True, slots=True)
class MailLink:
    """A link that Defender saw in a copy."""

    message_id: str
    url: str
    domain: str
    location: str  # Body, Subject, Attachment, QRCode


def traces(post: Post, wanted: Sequence[Wanted], recipient: str) -> Traces:
    """Ask where *wanted* are now.

    A row of EmailPostDeliveryEvents tells what was done after delivery, by whom and when; it
    may be there before `LatestDeliveryLocation` follows it, so the newest row of both counts.
    """
    names = {name: w.message_id for w in wanted for name in (w.message_id, *w.other_ids)}
    newest: dict[str, tuple[datetime, Found]] = {}
    known: set[str] = set()
    pulled: set[str] = set()
    network: dict[str, str] = {}
    for row in _asked(post, names, placement_query):
        ours = names.get(text(row, "internetmessageid"))
        if ours is None or text(row, "recipientemailaddress").lower() != recipient.lower():
            continue
        known.add(ours)
        if text(row, "actiontype"):
            pulled.add(ours)
        if text(row, "networkmessageid"):
            network[text(row, "networkmessageid")] = ours
        one = _found(row, ours)
        at = moment(row.get("timestamp")) or _EARLIEST
        if one is not None and at >= newest.get(ours, (at, one))[0]:
            newest[ours] = (at, one)
    found = tuple(one for _, one in newest.values())
    return Traces(found, frozenset(known), network, frozenset(pulled))


def newest_event(post: Post) -> datetime | None:
    """Return the time of the newest row of the log; None if it has none of the last days."""
    answer = post(_PATH, {"Query": FRESHNESS_QUERY, "Timespan": "P7D"})
    moments = (moment(row.get("newest")) for row in listed(NAME, answer, "results"))
    return max((m for m in moments if m is not None), default=None)


def clicks(post: Post, network_ids: Mapping[str, str]) -> list[Click]:
    """Return the clicks on links of these messages, oldest first, at most MAX_CLICKS."""
    found = [
        Click(
            message_id=network_ids[text(row, "networkmessageid")],
            url=text(row, "url"),
            action=text(row, "actiontype"),
            is_through=str(row.get("isclickedthrough")).lower() in {"true", "1"},
            at=moment(row.get("timestamp")),
            by=text(row, "accountupn"),
            workload=text(row, "workload"),
            threats=text(row, "threattypes"),
        )
        for row in _asked(post, network_ids, click_query)
        if text(row, "networkmessageid") in network_ids
    ]
    return sorted(found, key=lambda click: click.at or _EARLIEST)[:MAX_CLICKS]


def links(post: Post, network_ids: Mapping[str, str]) -> list[MailLink]:
    """Return the links that Defender saw in these messages."""
    return [
        MailLink(
            message_id=network_ids[text(row, "networkmessageid")],
            url=text(row, "url"),
            domain=text(row, "urldomain"),
            location=text(row, "urllocation"),
        )
        for row in _asked(post, network_ids, link_query)
        if text(row, "networkmessageid") in network_ids
    ][:MAX_CLICKS]


def with_links(note: str, links: Sequence[MailLink], clicks: Sequence[Click]) -> str:
    """Add to what is said of a copy where its links lead, and what became of clicks on them."""
    domains = list(dict.fromkeys(link.domain for link in links if link.domain))
    shown = f"links to {', '.join(domains[:MAX_DOMAINS])}" if domains else ""
    blocked = sum(not click.is_through for click in clicks)
    told = f"{len(clicks)} clicks, {blocked} blocked" if clicks else ""
    return _clean("; ".join(part for part in (note, shown, told) if part))


def _asked(
    post: Post, ids: Iterable[str], query: Callable[[Sequence[str]], str]
) -> Iterator[dict[str, Json]]:
    """Yield the rows for *ids*, asked in batches."""
    every = list(ids)
    for start in range(0, len(every), MAX_IDS):
        asked = query(every[start : start + MAX_IDS])
        yield from listed(NAME, post(_PATH, {"Query": asked, "Timespan": "P30D"}), "results")


FRESHNESS_QUERY = "EmailEvents | summarize Newest = max(Timestamp)"


def placement_query(ids: Sequence[str]) -> str:
    """Return the query for the present place of messages, in Kusto's language."""
    tables = "union EmailEvents, EmailPostDeliveryEvents"
    return f"{tables} | where InternetMessageId in ({_listed(ids)}) | project {_named(_COLUMNS)}"


def click_query(network_ids: Sequence[str]) -> str:
    where = f"NetworkMessageId in ({_listed(network_ids)})"
    return f"UrlClickEvents | where {where} | project {_named(_CLICK_COLUMNS)}"


def link_query(network_ids: Sequence[str]) -> str:
    where = f"NetworkMessageId in ({_listed(network_ids)})"
    return f"EmailUrlInfo | where {where} | project {_named(_URL_COLUMNS)}"


def _named(columns: Sequence[str]) -> str:
    return ", ".join(columns)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(_kusto_string(one) for one in texts)


def _kusto_string(value: str) -> str:
    clean = "".join(c for c in value if c.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _found(row: Row, message_id: str) -> Found | None:
    action = text(row, "actiontype")
    location = text(row, "latestdeliverylocation") or text(row, "deliverylocation")
    role = _LOCATIONS.get(location.lower())
    if role is None or (action and not _is_done(text(row, "actionresult"))):
        return None
    at = moment(row.get("timestamp"))
    return Found(
        message_id=message_id,
        folder=location,
        role=role,
        # What was done later says nothing about when the message came.
        received_at=None if action else at,
        match=Match.MESSAGE_ID,
        note=_note(row, action, at),
    )


def _is_done(result: str) -> bool:
    """Did what the row tells of come to pass? An empty result says nothing against it."""
    return not result or result.lower().startswith(("success", "completed"))


def _note(row: Row, action: str, at: datetime | None) -> str:
    """Say what the filter took the message for, by which method, and what it did later."""
    methods = text(row, "detectionmethods")
    try:
        table = json.loads(methods)
    except (ValueError, RecursionError):
        table = None
    if isinstance(table, dict):
        lists = [value if isinstance(value, list) else [value] for value in table.values()]
        methods = ", ".join(str(method) for one in lists for method in one)
    verdict = ": ".join(part for part in (text(row, "threattypes"), methods) if part)
    trigger = text(row, "actiontrigger")
    by = f" ({trigger})" if trigger and trigger.lower() not in action.lower() else ""
    when = f" at {at:%Y-%m-%d %H:%M} UTC" if at is not None else ""
    done = f"{action}{by}{when}" if action else ""
    note = "; ".join(part for part in (done, verdict) if part)
    return _clean(note)


def _clean(note: str) -> str:
    return "".join(c for c in note if c.isprintable())[:MAX_NOTE]
