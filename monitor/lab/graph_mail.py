"""Mailboxes in the shape of Microsoft Graph v1.0: folders, messages, raw bytes, batches.

Paths, options and errors follow learn.microsoft.com ("List messages", "mailFolder", "JSON
batching"). Only reading is served, and only with the queries that are asked here.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from monitor.lab.httpd import Request, Response
from monitor.lab.mailboxes import Entry, Folder, LabMailbox
from monitor.lab.pages import GraphError, check_options, page, parse_utc, utc, whole
from monitor.lab.world import World

MAX_BATCH = 20
MAX_PAGE = 1000
PATH = re.compile(r"/v1\.0/users/([^/]{1,320})/(mailFolders|messages)(?:/([^/]{1,200}))?(/.*)?")
ID_CLAUSE = re.compile(r"internetMessageId eq '((?:[^']|'')*)'(?: or |$)")
SINCE = re.compile(r"receivedDateTime ge (\S{1,40})")
WELL_KNOWN = {
    "inbox": "INBOX",
    "junkemail": "Junk Email",
    "deleteditems": "Deleted Items",
    "archive": "Archive",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
}
FIELDS = {
    "id",
    "internetMessageId",
    "parentFolderId",
    "receivedDateTime",
    "inferenceClassification",
    "internetMessageHeaders",
    "subject",
}
FOLDER_FIELDS = {"id", "displayName"}
Held = tuple[str, Folder, Entry]  # a message's id, and where it lies


def answer_mail(world: World, request: Request) -> Response | None:
    """Answer what concerns a mailbox; None if the path does not. Under `World.lock`."""
    if request.path == "/v1.0/$batch":
        return Response.of_json(_batch(world, request))
    found = PATH.fullmatch(request.path)
    if found is None:
        return None
    if request.method != "GET":
        raise GraphError(403, "ErrorAccessDenied", "The app may only read mail.")
    mailbox = world.mailboxes.get(found[1].lower())
    profile = world.profile_of(found[1])
    if mailbox is None or profile is None or not profile.has_tenant_api:
        raise GraphError(404, "ErrorInvalidUser", "The requested user is invalid.")
    kind, key, rest = found[2], found[3] or "", found[4] or ""
    if kind == "messages":
        return _message(mailbox, request, key, rest) if key else _messages(world, mailbox, request)
    folder = _folder(mailbox, key)
    if rest == "/messages":
        return _messages(world, mailbox, request, folder)
    if rest:
        raise GraphError(400, "BadRequest", "Resource not found for the segment.")
    check_options(request, {"$select"})
    row = {"id": _folder_id(folder), "displayName": folder.name}
    return Response.of_json(_selected(row, request, FOLDER_FIELDS))


def _batch(world: World, request: Request) -> dict[str, object]:
    body = request.json()
    asked = body.get("requests") if body is not None else None
    if request.method != "POST" or not isinstance(asked, list) or len(asked) > MAX_BATCH:
        raise GraphError(400, "BadRequest", f"The batch needs at most {MAX_BATCH} requests.")
    answers = [_part(world, request, one) for one in asked]
    return {"responses": answers[::-1]}  # the order is the service's own affair


def _part(world: World, request: Request, one: object) -> dict[str, object]:
    if not isinstance(one, dict) or not {"id", "method", "url"} <= one.keys():
        raise GraphError(400, "BadRequest", "Each request needs id, method and url.")
    part = Request.of(str(one["method"]), f"/v1.0{one['url']}", request.headers)
    try:
        answer = answer_mail(world, part) if part.path != "/v1.0/$batch" else None
        if answer is None:
            raise GraphError(400, "BadRequest", "Resource not found for the segment.")
    except GraphError as error:
        answer = error.response()
    headers = dict(answer.headers)
    return {
        "id": one["id"],
        "status": answer.status,
        "headers": headers,
        "body": json.loads(answer.body),
    }


def _messages(
    world: World, mailbox: LabMailbox, request: Request, folder: Folder | None = None
) -> Response:
    check_options(request, {"$filter", "$select", "$top", "$orderby", "$skiptoken"})
    _names(request, FIELDS)
    fits = _filter(request.query.get("$filter", ""))
    order = request.query.get("$orderby", "receivedDateTime desc")
    if order != "receivedDateTime desc":
        raise GraphError(400, "ErrorInvalidUrlQuery", "The order is not supported.")
    size = whole(request.query.get("$top", "10"), low=1, high=MAX_PAGE, what="$top")
    held = [one for one in _held(mailbox) if (folder is None or one[1] is folder) and fits(one[2])]
    held.sort(key=lambda one: one[2].date, reverse=True)
    found = [_selected(_row(*one), request, FIELDS) for one in held]
    return Response.of_json(page(found, request, base=world.api_url, size=size))


def _message(mailbox: LabMailbox, request: Request, key: str, rest: str) -> Response:
    found = next((one for one in _held(mailbox) if one[0] == key), None)
    if found is None:
        raise GraphError(404, "ErrorItemNotFound", "The object was not found in the store.")
    if rest == "/$value":
        return Response(200, found[2].message.cut(0), {"Content-Type": "text/plain"})
    if rest:
        raise GraphError(400, "BadRequest", "Resource not found for the segment.")
    return Response.of_json(_selected(_row(*found), request, FIELDS))


def _held(mailbox: LabMailbox) -> list[Held]:
    """Return all messages with immutable ids, which they keep when they are moved."""
    held: list[Held] = []
    counts: dict[int, int] = {}
    for folder in mailbox.folders.values():
        for entry in folder.entries:
            number = entry.message.number
            counts[number] = counts.get(number, 0) + 1
            held.append((f"AAkALgAA{number:06d}x{counts[number]}", folder, entry))
    return held


def _filter(text: str) -> Callable[[Entry], bool]:
    """Understand one of the two filters that are asked; 400 for any other."""
    since = SINCE.fullmatch(text)
    if since is not None:
        moment: datetime = parse_utc(since[1])
        return lambda entry: entry.date >= moment
    ids, at = set(), 0
    while at < len(text):
        clause = ID_CLAUSE.match(text, at)
        if clause is None:
            raise GraphError(400, "ErrorInvalidUrlQueryFilter", "Invalid filter clause.")
        ids.add(clause[1].replace("''", "'"))
        at = clause.end()
    if not ids:
        raise GraphError(400, "ErrorInvalidUrlQueryFilter", "The lab wants a filter.")
    return lambda entry: _message_id(entry) in ids


def _folder(mailbox: LabMailbox, key: str) -> Folder:
    name = WELL_KNOWN.get(key.lower())
    for folder in mailbox.folders.values():
        if folder.name == name or _folder_id(folder) == key:
            return folder
    raise GraphError(404, "ErrorItemNotFound", "The folder was not found in the store.")


def _folder_id(folder: Folder) -> str:
    return "AQMk" + folder.name.encode().hex()


def _selected(row: Mapping[str, object], request: Request, known: set[str]) -> dict[str, object]:
    """Return the properties that were asked for; `id` always comes along."""
    return {name: row[name] for name in ("id", *_names(request, known))}


def _names(request: Request, known: set[str]) -> list[str]:
    names = request.query.get("$select", "id").split(",")
    for name in names:
        if name not in known:
            raise GraphError(400, "RequestBroker--ParseUri", f"No property named {name[:40]!r}.")
    return names


def _row(key: str, folder: Folder, entry: Entry) -> dict[str, object]:
    head = entry.message.head
    lines = re.sub(rb"\r\n(?=[ \t])", b"", head).decode("utf-8", "replace").split("\r\n")
    pairs = [line.partition(":") for line in lines if ":" in line]
    return {
        "id": key,
        "internetMessageId": _message_id(entry),
        "parentFolderId": _folder_id(folder),
        "receivedDateTime": utc(entry.date),
        "inferenceClassification": "other" if entry.message.tab else "focused",
        "internetMessageHeaders": [{"name": n, "value": v.strip()} for n, _, v in pairs],
        "subject": next((v.strip() for n, _, v in pairs if n.lower() == "subject"), ""),
    }


def _message_id(entry: Entry) -> str:
    values = entry.message.values(b"message-id")
    return values[0].decode("latin-1") if values else ""
