"""POST /v1.0/security/runHuntingQuery: the queries that tell where messages are now.

The lab knows no query language: it answers tables of mail by id, projected to known columns,
and the time of the newest row; it refuses all else. Columns as learn.microsoft.com names
them. Nobody clicks in the lab, and it does not list links: those tables are empty.
"""

import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from monitor.lab.httpd import Request
from monitor.lab.journal import Move, Record
from monitor.lab.message_trace import lag, visible
from monitor.lab.pages import GraphError, utc
from monitor.lab.world import World

DEFAULT_SPAN = timedelta(days=30)
MAX_QUERY = 100_000
QUERY = re.compile(
    r"\s*(?:union\s+(\w+)\s*,\s*)?(\w+)\s*\|\s*where\s+(\w+)\s+in\s*\(\s*(.+?)\s*\)"
    r"\s*\|\s*project\s+([\w\s,]+?)\s*;?\s*",
    re.DOTALL,
)
NEWEST = re.compile(r"\s*EmailEvents\s*\|\s*summarize\s+Newest\s*=\s*max\(Timestamp\)\s*;?\s*")
STRING = re.compile(r'"((?:[^"\\\r\n]|\\["\\])*)"\s*(?:,\s*|$)')
SPAN = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")
BOTH = {
    "Timestamp": "DateTime",
    "InternetMessageId": "String",
    "NetworkMessageId": "String",
    "RecipientEmailAddress": "String",
    "DeliveryLocation": "String",
    "ThreatTypes": "String",
    "DetectionMethods": "String",
}
TABLES: dict[str, dict[str, str]] = {
    "EmailEvents": BOTH
    | {
        "DeliveryAction": "String",
        "LatestDeliveryAction": "String",
        "LatestDeliveryLocation": "String",
        "ConfidenceLevel": "String",
    },
    "EmailPostDeliveryEvents": BOTH
    | {
        "Action": "String",
        "ActionType": "String",
        "ActionTrigger": "String",
        "ActionResult": "String",
    },
    "EmailUrlInfo": {
        "Timestamp": "DateTime",
        "NetworkMessageId": "String",
        "Url": "String",
        "UrlDomain": "String",
        "UrlLocation": "String",
    },
    "UrlClickEvents": {
        "Timestamp": "DateTime",
        "Url": "String",
        "ActionType": "String",
        "AccountUpn": "String",
        "Workload": "String",
        "NetworkMessageId": "String",
        "ThreatTypes": "String",
        "DetectionMethods": "String",
        "IsClickedThrough": "SByte",
    },
}
KEYS = ("InternetMessageId", "NetworkMessageId")
Row = dict[str, str]


def hunt(world: World, request: Request) -> dict[str, object]:
    body = request.json()
    if body is None or set(body) - {"Query", "Timespan"}:
        raise GraphError(400, "BadRequest", "The body needs Query and may have Timespan.")
    query, since = body.get("Query"), _since(body.get("Timespan"), world.now())
    if not isinstance(query, str) or len(query) > MAX_QUERY:
        raise GraphError(400, "BadRequest", "Query must be a string.")
    if NEWEST.fullmatch(query):
        rows = [_newest(world, since)]
        return _answer(world, {"Newest": "DateTime"}, rows)
    types, rows = _selected(world, query, since)
    return _answer(world, types, rows)


def _answer(world: World, types: dict[str, str], rows: list[Row]) -> dict[str, object]:
    return {
        "@odata.context": f"{world.api_url}/v1.0/$metadata#microsoft.graph.security",
        "schema": [{"name": name, "type": kind} for name, kind in types.items()],
        "results": [{n: v for n, v in row.items() if n in types} for row in rows],
    }


def _newest(world: World, since: datetime) -> Row:
    rows = visible(world)  # in the order of receipt
    return {"Newest": utc(rows[-1].received_at)} if rows and rows[-1].received_at >= since else {}


def _selected(world: World, query: str, since: datetime) -> tuple[dict[str, str], list[Row]]:
    """Return the columns asked for with their types, and the rows; 400 if it is another query."""
    found = QUERY.fullmatch(query)
    if found is None:
        raise GraphError(400, "BadRequest", "The lab does not know this query.")
    tables = [name for name in found.group(1, 2) if name]
    if not set(tables) <= TABLES.keys() or found[3] not in KEYS:
        raise GraphError(400, "BadRequest", "Failed to resolve table or column.")
    types = {name: kind for table in tables for name, kind in TABLES[table].items()}
    columns = list(dict.fromkeys(name.strip() for name in found[5].split(",")))
    for name in (*columns, found[3]):
        if name not in types:
            raise GraphError(400, "BadRequest", f"Failed to resolve column {name[:40]!r}.")
    ids = list(dict.fromkeys(_strings(found[4])))
    records = _records(world, found[3], ids)
    rows = [row for table in tables for row in _rows(world, table, records, since)]
    return {name: types[name] for name in columns}, rows


def _records(world: World, key: str, ids: Sequence[str]) -> list[Record]:
    if key == "InternetMessageId":
        return [record for id_ in ids for record in visible(world, id_)]
    return [record for record in visible(world) if _network_id(record) in ids]


def _rows(world: World, table: str, records: Sequence[Record], since: datetime) -> Iterator[Row]:
    shown_until = world.now() - lag(world)
    for record in records:
        if record.received_at < since or record.status == "pending":
            continue
        if table == "EmailEvents":
            yield as_row(record)
        elif table == "EmailPostDeliveryEvents":
            yield from (as_event(record, m) for m in record.moves if m.at <= shown_until)


def _strings(text: str) -> list[str]:
    values = []
    at = 0
    while at < len(text):
        found = STRING.match(text, at)
        if found is None:
            raise GraphError(400, "BadRequest", "Syntax error in the list of ids.")
        values.append(re.sub(r"\\(.)", r"\1", found[1]))
        at = found.end()
    return values


def _since(span: object, now: datetime) -> datetime:
    """Read an ISO 8601 duration before now."""
    if span is None:
        return now - DEFAULT_SPAN
    found = SPAN.fullmatch(span) if isinstance(span, str) and len(span) > 2 else None
    if found is None:
        raise GraphError(400, "BadRequest", "Timespan must be an ISO 8601 duration.")
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return now - timedelta(days=days, hours=hours, minutes=minutes)


def as_row(record: Record) -> Row:
    return _both(record) | {
        "Timestamp": utc(record.received_at),
        "DeliveryAction": record.action,
        "DeliveryLocation": record.location,
        "LatestDeliveryAction": record.latest_action,
        "LatestDeliveryLocation": record.latest_location,
        "ConfidenceLevel": '{"Phish":"High"}' if _is_phish(record) else "",
    }


def as_event(record: Record, move: Move) -> Row:
    return _both(record) | {
        "Timestamp": utc(move.at),
        "DeliveryLocation": move.location,
        "Action": move.action,
        "ActionType": move.type,
        "ActionTrigger": move.trigger,
        "ActionResult": "Success",
    }


def _both(record: Record) -> Row:
    is_phish = _is_phish(record)
    return {
        "InternetMessageId": record.message_id,
        "NetworkMessageId": _network_id(record),
        "RecipientEmailAddress": record.recipient,
        "ThreatTypes": "Phish" if is_phish else record.threat,
        "DetectionMethods": '{"Phish":["URL malicious reputation"]}' if is_phish else "",
    }


def _network_id(record: Record) -> str:
    return str(uuid.UUID(int=record.number))


def _is_phish(record: Record) -> bool:
    return record.threat == "Phish" or record.latest_location == "Quarantine"
