"""What a Microsoft 365 mailbox does not show over IMAP, asked of its tenant's own logs.

Quarantine is no folder, and mail that was pulled back is in none. Advanced hunting knows
where each message is now; where it may not be asked, message trace knows where it went.
Sources: learn.microsoft.com, "security: runHuntingQuery", "EmailEvents" and "List
messageTraces", all of Graph v1.0.
"""

import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.ports import Mailbox, PartlyReadError
from monitor.mailboxes.graph_http import GraphHttp, GraphRefusedError
from monitor.tenant import App, Json

log = logging.getLogger(__name__)

HUNT_AGAIN = 200  # looks after which a tenant that refused to be hunted is asked once more
MAX_IDS = 100  # of one query
MAX_PAGES = 10
MAX_NOTE = 300  # characters

_HUNT = "/v1.0/security/runHuntingQuery"
_TRACE = "/v1.0/admin/exchange/tracing/messageTraces"
_COLUMNS = (
    "Timestamp",
    "InternetMessageId",
    "RecipientEmailAddress",
    "DeliveryLocation",
    "LatestDeliveryLocation",
    "ThreatTypes",
    "DetectionMethods",
)
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
_STATUSES = {"quarantined": Role.QUARANTINE, "filteredasspam": Role.SPAM}
_HOUR = timedelta(hours=1)
_TRACE_WIDTH = timedelta(days=10)  # the service takes no wider range


class GraphTenant:
    """The logs of one tenant, read with an app's own permissions. Safe between threads."""

    def __init__(
        self,
        *,
        base_url: str = "https://graph.microsoft.com",
        login_url: str = "https://login.microsoftonline.com",
        tenant: str,
        client_id: str,
        client_secret: str,
        timeout_s: float = 30.0,
    ) -> None:
        app = App(base_url, login_url, tenant, client_id, client_secret, timeout_s)
        self._http = GraphHttp(app)
        self._name = tenant
        self._lock = threading.Lock()
        self._until_hunt = 0  # looks that are left to message trace
        self._was_refused = False

    def sign_in(self) -> None:
        """Prove that the tenant lets us in.

        Raises:
            MailboxLockedError, MailboxBusyError: it does not.
        """
        self._http.sign_in()

    def places(self, wanted: Sequence[Wanted], recipient: str) -> list[Found]:
        """Say where each of *wanted* is now; what the logs do not know (yet) is left out.

        Raises:
            MailboxLockedError: sign-in or both logs refused.
            MailboxBusyError: no answer now; `retry_after` if the service told.
        """
        if not wanted:
            return []
        if self._is_hunt_due():
            try:
                found = self._hunt(wanted, recipient)
            except GraphRefusedError as error:
                self._hunt_later(error)
            else:
                self._hunt_on()
                return found
        return self._trace(wanted, recipient)

    def _is_hunt_due(self) -> bool:
        with self._lock:
            self._until_hunt = max(self._until_hunt - 1, 0)
            return self._until_hunt == 0

    def _hunt_later(self, error: GraphRefusedError) -> None:
        """Leave the next looks to message trace, and say so once.

        Hunting needs a licence that many tenants lack, while message trace does not. But a
        permission may be granted meanwhile, and a refusal may have been a mistake.
        """
        with self._lock:
            is_news, self._was_refused = not self._was_refused, True
            self._until_hunt = HUNT_AGAIN
        if is_news:
            log.warning(
                "Tenant %s: hunting refused, so message trace is asked, which does not know what"
                " happened after delivery; hunting is tried again every %d looks. %s",
                self._name,
                HUNT_AGAIN,
                error,
            )

    def _hunt_on(self) -> None:
        with self._lock:
            is_news, self._was_refused = self._was_refused, False
        if is_news:
            log.info("Tenant %s: hunting is no longer refused", self._name)

    def _hunt(self, wanted: Sequence[Wanted], recipient: str) -> list[Found]:
        found: dict[str, tuple[datetime, Found]] = {}
        for start in range(0, len(wanted), MAX_IDS):
            query = hunting_query(wanted[start : start + MAX_IDS])
            answer = self._http.post(_HUNT, {"Query": query, "Timespan": "P30D"})
            for row in _rows(answer.get("results")):
                one = _hunted(row, wanted, recipient)
                at = _moment(row.get("timestamp")) or datetime.min.replace(tzinfo=UTC)
                if one is not None and at >= found.get(one.message_id, (at, one))[0]:
                    found[one.message_id] = (at, one)
        return [one for _, one in found.values()]

    def _trace(self, wanted: Sequence[Wanted], recipient: str) -> list[Found]:
        ids = {w.message_id for w in wanted}
        found: dict[str, Found] = {}
        for filter_ in _trace_filters(wanted, recipient):
            for row in self._pages({"$filter": filter_}):
                role = _STATUSES.get(_text(row, "status").lower())
                message_id = _text(row, "messageid")
                if role is not None and message_id in ids:
                    found[message_id] = Found(
                        message_id=message_id,
                        folder=role.value.capitalize(),
                        role=role,
                        received_at=_moment(row.get("receiveddatetime")),
                        match=Match.MESSAGE_ID,
                        note="message trace, as hunting is refused",
                    )
        return list(found.values())

    def _pages(self, params: Mapping[str, str]) -> Iterator[dict[str, Json]]:
        answer = self._http.get(_TRACE, params)
        for _ in range(MAX_PAGES):
            yield from _rows(answer.get("value"))
            following = answer.get("@odata.nextlink")
            if not isinstance(following, str):
                return
            answer = self._http.get(following)


class CombinedMailbox:
    """A `Mailbox` that asks the tenant about copies that IMAP does not show.

    What IMAP can see is believed of IMAP alone: the logs lag behind a mailbox, and one
    that says "inbox" of a copy that is no longer there would be wrong.
    """

    def __init__(self, imap: Mailbox, tenant: GraphTenant, address: str) -> None:
        self._imap = imap
        self._tenant = tenant
        self._address = address

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        found = self._imap.look(wanted)
        seen = {one.message_id for one in found}
        unseen = [w for w in wanted if w.message_id not in seen]
        if not wanted:
            self._tenant.sign_in()
        try:
            hidden = self._tenant.places(unseen, self._address)
        except (MailboxBusyError, MailboxLockedError) as error:
            if not found:
                raise
            raise _partly(found, error) from error
        return found + [one for one in hidden if one.role is Role.QUARANTINE]

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        return self._imap.read(message_id, limit=limit)

    def close(self) -> None:
        self._imap.close()


def _partly(found: list[Found], error: MailboxBusyError | MailboxLockedError) -> PartlyReadError:
    """Let what IMAP has found be known, though the tenant does not answer."""
    wait = error.retry_after if isinstance(error, MailboxBusyError) else None
    return PartlyReadError(error.what, partial=found, remedy=error.remedy, retry_after=wait)


def hunting_query(wanted: Sequence[Wanted]) -> str:
    """Return the query for the present place of *wanted*, in Kusto's language."""
    ids = ", ".join(_kusto_string(w.message_id) for w in wanted)
    columns = ", ".join(_COLUMNS)
    return f"EmailEvents | where InternetMessageId in ({ids}) | project {columns}"


def _kusto_string(text: str) -> str:
    clean = "".join(c for c in text if c.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _trace_filters(wanted: Sequence[Wanted], recipient: str) -> Iterator[str]:
    """Yield filters that cover the time of *wanted* in ranges that the service takes."""
    start = min(w.sent_at for w in wanted) - _HOUR
    last = max(w.sent_at for w in wanted) + _HOUR
    address = recipient.replace("'", "''")
    while start < last:
        end = start + _TRACE_WIDTH
        yield (
            f"recipientAddress eq '{address}'"
            f" and receivedDateTime ge {_utc(start)} and receivedDateTime le {_utc(end)}"
        )
        start = end


def _hunted(row: Mapping[str, Json], wanted: Sequence[Wanted], recipient: str) -> Found | None:
    message_id = _text(row, "internetmessageid")
    location = _text(row, "latestdeliverylocation") or _text(row, "deliverylocation")
    role = _LOCATIONS.get(location.lower())
    is_ours = any(w.message_id == message_id for w in wanted)
    if role is None or not is_ours:
        return None
    if _text(row, "recipientemailaddress").lower() != recipient.lower():
        return None
    return Found(
        message_id=message_id,
        folder=location,
        role=role,
        received_at=_moment(row.get("timestamp")),
        match=Match.MESSAGE_ID,
        note=_note(_text(row, "threattypes"), _text(row, "detectionmethods")),
    )


def _note(threats: str, methods: str) -> str:
    """Say what the filter took the message for, and by which of its methods."""
    try:
        table = json.loads(methods)
    except (ValueError, RecursionError):
        table = None
    if isinstance(table, dict):
        lists = [value if isinstance(value, list) else [value] for value in table.values()]
        methods = ", ".join(str(method) for one in lists for method in one)
    text = ": ".join(part for part in (threats, methods) if part)
    return "".join(c for c in text if c.isprintable())[:MAX_NOTE]


def _rows(value: Json) -> list[dict[str, Json]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _text(row: Mapping[str, Json], key: str) -> str:
    value = row.get(key)
    return value.strip() if isinstance(value, str) else ""


def _moment(value: Json) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo else None


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
