"""Several GETs in one request to Graph (JSON batching), twenty at a time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from monitor.bounded_http import Answer, Ask, Json
from monitor.core.errors import MailboxBusyError
from monitor.mailboxes.http_mail import MailTalk, Row, rows, text
from monitor.tenant import NAME, graph_address

MAX_BATCH = 20  # that the service takes
PREFER: Mapping[str, str] = {"Prefer": 'IdType="ImmutableId"'}  # an id outlives a move


@dataclass(frozen=True, slots=True)
class Part:
    """One answer of a batch."""

    status: int
    headers: Mapping[str, str]
    body: Row

    @property
    def as_http(self) -> Answer:
        """Return it as it would have come by itself."""
        kind = {"Content-Type": "application/json"}
        return Answer(self.status, {**kind, **self.headers}, json.dumps(self.body).encode())


def batch(talk: MailTalk, base_url: str, paths: Sequence[str]) -> list[Part]:
    """GET *paths*, which are relative to the version; return their answers in order.

    Raises:
        MailboxLockedError, MailboxBusyError: the batch as a whole failed. Whether one of its
            parts did is for the caller to see.
    """
    parts: list[Part] = []
    for start in range(0, len(paths), MAX_BATCH):
        parts += _batch(talk, base_url, paths[start : start + MAX_BATCH])
    return parts


def _batch(talk: MailTalk, base_url: str, paths: Sequence[str]) -> list[Part]:
    requests = [
        {"id": str(number), "method": "GET", "url": path, "headers": dict(PREFER)}
        for number, path in enumerate(paths)
    ]
    url = graph_address(base_url, "/v1.0/$batch")
    ask = Ask("POST", url, body={"requests": requests}, headers=PREFER)
    parts = _answers(talk, ask, len(paths))
    if any(part.status == 401 for part in parts):  # the token ended on its way
        talk.renew()
        parts = _answers(talk, ask, len(paths))
    return parts


def _answers(talk: MailTalk, ask: Ask, count: int) -> list[Part]:
    answer = talk.object(ask)
    found = {text(row, "id"): row for row in rows(answer.get("responses"))}
    missing = sum(str(number) not in found for number in range(count))
    if missing:
        raise MailboxBusyError(f"{NAME} left {missing} of {count} questions unanswered.")
    return [_part(found[str(number)]) for number in range(count)]


def _part(row: Row) -> Part:
    status, headers, body = row.get("status"), row.get("headers"), row.get("body")
    if not isinstance(status, int) or not isinstance(body, dict):
        raise MailboxBusyError(f"{NAME}'s answer to one of several questions makes no sense.")
    named = headers if isinstance(headers, dict) else {}
    return Part(status, {name.title(): _word(value) for name, value in named.items()}, body)


def _word(value: Json) -> str:
    return value if isinstance(value, str) else str(value)


def encoded(query: str) -> str:
    """Encode the value of a query option, where OData's own signs may stay as they are."""
    return quote(query, safe="'$,:")
