"""GET /v1.0/admin/exchange/tracing/messageTraces: what became of mail at delivery.

Source: learn.microsoft.com, "List messageTraces" (v1.0): both bounds of the time, at most
10 days apart and 90 days back; $top up to 5,000.
"""

import re
from datetime import datetime, timedelta

from monitor.lab.httpd import Request
from monitor.lab.journal import Record
from monitor.lab.pages import GraphError, check_options, page, parse_utc, utc, whole
from monitor.lab.providers import PROFILES
from monitor.lab.rules import Action
from monitor.lab.world import World

DEFAULT_PAGE = 1000
MAX_PAGE = 5000
MAX_WIDTH = timedelta(days=10)
MAX_AGE = timedelta(days=90)
MAX_FILTER = 4000
CLAUSE = re.compile(r"(\w{1,40}) (eq|ge|le) ('(?:[^']|'')*'|[^'\s]{1,40})(?: and |$)")
FIELDS = {"id", "fromIP", "toIP", "messageId", "recipientAddress", "senderAddress", "status"}
Clauses = dict[tuple[str, str], str]


def trace(world: World, request: Request) -> dict[str, object]:
    check_options(request, {"$filter", "$top", "$skiptoken"})
    clauses = parse_filter(request.query.get("$filter", ""))
    start, end = _window(clauses, world.now())
    size = whole(request.query.get("$top", str(DEFAULT_PAGE)), low=1, high=MAX_PAGE, what="$top")
    equal = {field: value for (field, sign), value in clauses.items() if sign == "eq"}
    rows = [
        row
        for record in visible(world, equal.get("messageId"))
        if start <= record.received_at.replace(microsecond=0) <= end
        and _fits(row := as_row(record), equal)
    ]
    return page(rows, request, base=world.api_url, size=size)


def visible(world: World, message_id: str | None = None) -> list[Record]:
    """The records that the tenant's log shows by now: it can lag behind the mail."""
    shown_until = world.now() - lag(world)
    records = list(world.journal) if message_id is None else world.journal.of(message_id)
    return [r for r in records if r.received_at <= shown_until]


def lag(world: World) -> timedelta:
    """How far the tenant's log is behind."""
    late = next(world.rules(PROFILES["microsoft365"], Action.API_LATE), None)
    return (late.delay if late else None) or timedelta(0)


def parse_filter(text: str) -> Clauses:
    """Read clauses joined by `and`; one value per property, as the service takes it."""
    clauses: Clauses = {}
    at = 0
    if len(text) > MAX_FILTER:
        raise GraphError(400, "BadRequest", "The filter is too long.")
    while at < len(text):
        found = CLAUSE.match(text, at)
        if found is None or (found[1], found[2]) in clauses:
            raise GraphError(400, "BadRequest", "Invalid filter clause.")
        clauses[found[1], found[2]] = _literal(found[1], found[2], found[3])
        at = found.end()
    return clauses


def _literal(field: str, sign: str, text: str) -> str:
    is_time = field == "receivedDateTime" and sign in {"ge", "le"}
    is_quoted = text.startswith("'")
    if is_time == is_quoted or not (is_time or (field in FIELDS and sign == "eq")):
        raise GraphError(400, "BadRequest", f"Invalid filter clause on {field}.")
    return text[1:-1].replace("''", "'") if is_quoted else text


def _window(clauses: Clauses, now: datetime) -> tuple[datetime, datetime]:
    low, high = clauses.get(("receivedDateTime", "ge")), clauses.get(("receivedDateTime", "le"))
    if low is None or high is None:
        raise GraphError(400, "BadRequest", "receivedDateTime needs both ge and le.")
    start, end = parse_utc(low), parse_utc(high)
    if not start <= end or end - start > MAX_WIDTH or start < now - MAX_AGE:
        raise GraphError(400, "BadRequest", "The time range is at most 10 days, 90 days back.")
    return start, end


def _fits(row: dict[str, object], equal: dict[str, str]) -> bool:
    return all(str(row[field]).lower() == value.lower() for field, value in equal.items())


def as_row(record: Record) -> dict[str, object]:
    return {
        "id": f"{record.number:032x}",
        "senderAddress": record.sender,
        "recipientAddress": record.recipient,
        "messageId": record.message_id,
        "receivedDateTime": utc(record.received_at),
        "subject": record.subject.encode("utf-8", "replace").decode(),
        "size": record.size,
        "fromIP": record.peer,
        "toIP": "",
        "status": record.status,
    }
