"""What message trace knows: where mail went at delivery, though not what happened later.

Source: learn.microsoft.com, "List messageTraces" of Graph v1.0.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.errors import MailboxBusyError
from monitor.mailboxes.candidates import moment
from monitor.mailboxes.http_mail import Row, listed, text
from monitor.tenant import NAME

MAX_PAGES = 10

_PATH = "/v1.0/admin/exchange/tracing/messageTraces"
_STATUSES = {"quarantined": Role.QUARANTINE, "filteredasspam": Role.SPAM}
_HOUR = timedelta(hours=1)
_WIDTH = timedelta(days=10)  # the service takes no wider range

Get = Callable[[str, Mapping[str, str] | None], Row]


def traced(get: Get, wanted: Sequence[Wanted], recipient: str, *, note: str) -> list[Found]:
    """Return those of *wanted* that were quarantined or filtered as spam at delivery."""
    names = {name: w.message_id for w in wanted for name in (w.message_id, *w.other_ids)}
    found: dict[str, Found] = {}
    for filter_ in _filters(wanted, recipient):
        for row in _pages(get, {"$filter": filter_}):
            role = _STATUSES.get(text(row, "status").lower())
            message_id = names.get(text(row, "messageid"))
            if role is not None and message_id is not None:
                found[message_id] = Found(
                    message_id=message_id,
                    folder=role.value.capitalize(),
                    role=role,
                    received_at=moment(row.get("receiveddatetime")),
                    match=Match.MESSAGE_ID,
                    note=note,
                )
    return list(found.values())


def _pages(get: Get, params: Mapping[str, str]) -> Iterator[Row]:
    answer = get(_PATH, params)
    for _ in range(MAX_PAGES):
        yield from listed(NAME, answer, "value")
        following = answer.get("@odata.nextlink")
        if not isinstance(following, str):
            return
        answer = get(following, None)
    raise MailboxBusyError(f"{NAME}'s trace has more pages than are read in one look.")


def _filters(wanted: Sequence[Wanted], recipient: str) -> Iterator[str]:
    """Yield filters that cover the time of *wanted* in ranges that the service takes."""
    start = min(w.sent_at for w in wanted) - _HOUR
    last = max(w.sent_at for w in wanted) + _HOUR
    address = recipient.replace("'", "''")
    while start < last:
        end = start + _WIDTH
        yield (
            f"recipientAddress eq '{address}'"
            f" and receivedDateTime ge {_utc(start)} and receivedDateTime le {_utc(end)}"
        )
        start = end


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
