"""POST /v1.0/security/runHuntingQuery: the one query that tells where messages are now.

The lab knows no query language: it answers EmailEvents by Message-ID, projected to known
columns, and refuses all else. Columns as learn.microsoft.com names them.
"""

import re
from datetime import datetime, timedelta

from monitor.lab.httpd import Request
from monitor.lab.journal import Record
from monitor.lab.message_trace import visible
from monitor.lab.pages import GraphError, utc
from monitor.lab.world import World

DEFAULT_SPAN = timedelta(days=30)
MAX_QUERY = 100_000
QUERY = re.compile(
    r"\s*EmailEvents\s*\|\s*where\s+InternetMessageId\s+in\s*\(\s*(.+?)\s*\)"
    r"\s*\|\s*project\s+([\w\s,]+?)\s*;?\s*",
    re.DOTALL,
)
STRING = re.compile(r'"((?:[^"\\\r\n]|\\["\\])*)"\s*(?:,\s*|$)')
SPAN = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")
TYPES = {
    "Timestamp": "DateTime",
    "InternetMessageId": "String",
    "RecipientEmailAddress": "String",
    "DeliveryAction": "String",
    "DeliveryLocation": "String",
    "LatestDeliveryAction": "String",
    "LatestDeliveryLocation": "String",
    "ThreatTypes": "String",
    "DetectionMethods": "String",
    "ConfidenceLevel": "String",
}


def hunt(world: World, request: Request) -> dict[str, object]:
    body = request.json()
    if body is None or set(body) - {"Query", "Timespan"}:
        raise GraphError(400, "BadRequest", "The body needs Query and may have Timespan.")
    ids, columns = parse_query(body.get("Query"))
    since = _since(body.get("Timespan"), world.now())
    rows = [
        {name: value for name, value in as_row(record).items() if name in columns}
        for message_id in ids
        for record in visible(world, message_id)
        if record.received_at >= since and record.status != "pending"
    ]
    return {
        "@odata.context": f"{world.api_url}/v1.0/$metadata#microsoft.graph.security",
        "schema": [{"name": name, "type": TYPES[name]} for name in columns],
        "results": rows,
    }


def parse_query(query: object) -> tuple[list[str], list[str]]:
    """Return Message-IDs and columns, each once; 400 if it is another query."""
    if not isinstance(query, str) or len(query) > MAX_QUERY:
        raise GraphError(400, "BadRequest", "Query must be a string.")
    found = QUERY.fullmatch(query)
    if found is None:
        raise GraphError(400, "BadRequest", "The lab does not know this query.")
    columns = [name.strip() for name in found[2].split(",")]
    for name in columns:
        if name not in TYPES:
            raise GraphError(400, "BadRequest", f"Failed to resolve column {name[:40]!r}.")
    return list(dict.fromkeys(_strings(found[1]))), list(dict.fromkeys(columns))


def _strings(text: str) -> list[str]:
    values = []
    at = 0
    while at < len(text):
        found = STRING.match(text, at)
        if found is None:
            raise GraphError(400, "BadRequest", "Syntax error in the list of Message-IDs.")
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


def as_row(record: Record) -> dict[str, str]:
    is_phish = record.threat == "Phish" or record.latest_location == "Quarantine"
    methods = '{"Phish":["URL malicious reputation"]}' if is_phish else ""
    return {
        "Timestamp": utc(record.received_at),
        "InternetMessageId": record.message_id,
        "RecipientEmailAddress": record.recipient,
        "DeliveryAction": record.action,
        "DeliveryLocation": record.location,
        "LatestDeliveryAction": record.latest_action,
        "LatestDeliveryLocation": record.latest_location,
        "ThreatTypes": "Phish" if is_phish else record.threat,
        "DetectionMethods": methods,
        "ConfidenceLevel": '{"Phish":"High"}' if is_phish else "",
    }
