"""Reads a Gmail or Google Workspace mailbox through the Gmail API; every request only reads.

Sources: developers.google.com, Gmail API v1: users.messages.list and .get, "Manage labels",
"Resolve errors", and "Refine searches in Gmail" (the search words). A search is refused to
the scope gmail.metadata, so the token needs gmail.readonly.
"""

import base64
import binascii
import json
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from monitor.bounded_http import Answer, Ask, Service
from monitor.core.campaigns import Found, Wanted
from monitor.core.errors import AgainLaterError, MailboxBusyError
from monitor.core.folders import FolderSight
from monitor.core.ports import PartlyReadError, TokenSource
from monitor.mailboxes.budget import Share
from monitor.mailboxes.candidates import (
    Candidate,
    Chosen,
    Keys,
    choose,
    header_block,
    ids_of,
    to_remember,
)
from monitor.mailboxes.gmail_labels import Place, place_of, sight
from monitor.mailboxes.http_mail import MailService, MailTalk, Row, listed, rows, text

NAME = "Gmail"
BASE_URL = "https://gmail.googleapis.com"
MAX_IDS = 20  # Message-IDs of one search
PAGE = 100
MAX_PAGES = 10  # of one search
MAX_STRANGERS = 20_000
MAX_SCANNED = 200  # messages that are compared in one look, where copies are sought by other marks

_MESSAGES = "/gmail/v1/users/me/messages"
_LABELS = "/gmail/v1/users/me/labels"
_PROFILE = "/gmail/v1/users/me/profile"
_REMEDY = (
    "Check that the account is open and that its grant has the scope gmail.readonly"
    " (gmail.metadata cannot search), then run: seedwatch seeds authorize ADDRESS."
)
# Reasons of a 403 that mean "later", lower case.
_PASSING = {
    "ratelimitexceeded",
    "userratelimitexceeded",
    "quotaexceeded",
    "dailylimitexceeded",
    "concurrentlimitexceeded",
}
_RAW = re.compile(rb'"raw"\s*:\s*"([A-Za-z0-9_=-]*)')
_EARLIER = timedelta(hours=1)  # clocks differ


class GmailMailbox:
    """A `Mailbox` (see core/ports.py) over the Gmail API. Safe between threads: one reads.

    Gmail's ids outlast moves, so a copy that was once known by other marks than its Message-ID
    needs no second search.
    """

    def __init__(
        self,
        tokens: TokenSource,
        *,
        timeout_s: float,
        base_url: str = BASE_URL,
        share: Share | None = None,
    ) -> None:
        service = Service(NAME, timeout_s)
        self._mail = MailService(service, tokens, _REMEDY, _is_passing, share)
        self._base_url = base_url.rstrip("/")
        self._lock = threading.Lock()
        self._known = Keys()
        # Messages that are none of the copies looked for so far; None: no received mail at all.
        self._strangers: dict[str, Candidate | None] = {}

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        with self._lock, self._mail.talk() as talk:
            if not wanted:
                talk.object(self._ask(_PROFILE))
                return []
            chosen, unsure = self._look(talk, wanted)
        self._known.learn(chosen)
        found = [one.found for one in chosen]
        if unsure and len(found) < len(wanted):
            raise PartlyReadError(unsure, partial=found)
        return found

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        with self._lock, self._mail.talk() as talk:
            key = self._known.get(message_id)
            if key is None:
                key = next(self._listed(talk, _by_ids([message_id])), None)
            return None if key is None else self._read(talk, key, limit)

    def layout(self) -> list[FolderSight]:
        """Say of every label what it tells of the place (see core/folders.py)."""
        with self._lock, self._mail.talk() as talk:
            answer = talk.object(self._ask(_LABELS))
        return [sight(row) for row in listed(NAME, answer, "labels")]

    def close(self) -> None:
        """Connections end with each look."""

    def _look(self, talk: MailTalk, wanted: Sequence[Wanted]) -> tuple[list[Chosen], str]:
        """Return what was found, and why nothing can be said of the rest; "" if all was seen."""
        messages: dict[str, Candidate] = {}
        known = [key for w in wanted if (key := self._known.get(w.message_id)) is not None]
        self._fetch(talk, known, messages)
        for start in range(0, len(wanted), MAX_IDS):
            names = [n for w in wanted[start : start + MAX_IDS] for n in ids_of(w)]
            self._fetch(talk, self._listed(talk, _by_ids(names)), messages)
        missing = _missing(messages, wanted)
        unsure = ""
        if missing:
            try:
                unsure = self._scan(talk, missing, messages)
            except AgainLaterError as error:  # what was found by its Message-ID is known
                unsure = error.what
        return choose(messages.values(), wanted), unsure

    def _scan(
        self, talk: MailTalk, missing: Sequence[Wanted], messages: dict[str, Candidate]
    ) -> str:
        """Compare what came lately: a gateway or mail service may have changed the Message-ID."""
        since = min(w.sent_at for w in missing) - _EARLIER
        if len(self._strangers) > MAX_STRANGERS:
            self._strangers.clear()
        compared = 0
        for key in self._listed(talk, f"after:{int(since.timestamp())}"):
            if key in messages or self._is_stranger(key, missing):
                continue
            if compared == MAX_SCANNED or not key:
                return "the mailbox has got more mail since than is compared in one look."
            compared += 1
            self._fetch(talk, [key], messages)
            one = messages.get(key)
            if one is None or not choose([one], missing):
                self._strangers[key] = one and to_remember(one)
        return ""

    def _is_stranger(self, key: str, missing: Sequence[Wanted]) -> bool:
        """Is this message known to be none of these? Others may have been looked for then."""
        if key not in self._strangers:
            return False
        one = self._strangers[key]
        return one is None or not choose([one], missing)

    def _listed(self, talk: MailTalk, query: str) -> Iterator[str]:
        """Yield the ids of the messages that *query* finds, anywhere, newest first.

        The last one is "" if there are more than are listed.
        """
        token = ""
        for _ in range(MAX_PAGES):
            params = {"q": query, "includeSpamTrash": "true", "maxResults": str(PAGE)}
            answer = talk.object(
                self._ask(_MESSAGES, params | ({"pageToken": token} if token else {}))
            )
            # An empty result has no list, but an estimate of its size.
            empty = "resultSizeEstimate" in answer and "messages" not in answer
            for row in [] if empty else listed(NAME, answer, "messages"):
                if text(row, "id"):
                    yield text(row, "id")
            token = text(answer, "nextPageToken")
            if not token:
                return
        yield ""

    def _fetch(self, talk: MailTalk, keys: Iterable[str], messages: dict[str, Candidate]) -> None:
        for key in keys:
            if not key or key in messages:
                continue
            answer = talk.known(self._ask(f"{_MESSAGES}/{_path(key)}", {"format": "metadata"}))
            if answer is None:
                continue  # it was deleted for good while we looked
            if answer.get("id") != key:
                raise MailboxBusyError(f"{NAME}'s answer makes no sense: it has no message.")
            place = place_of(answer)
            one = None if place is None else _candidate(key, answer, place)
            if one is not None:
                messages[key] = one

    def _read(self, talk: MailTalk, key: str, limit: int) -> bytes | None:
        """Return the beginning of a message, of which only so much is fetched as is asked for."""
        params = {"format": "raw", "fields": "raw"}
        first = limit * 4 // 3 + 1024
        ask = Ask("GET", f"{self._base_url}{_MESSAGES}/{_path(key)}", params, first=first)
        body = talk.raw(ask)
        found = None if body is None else _RAW.search(body)
        if found is None:
            return None
        whole = len(found[1]) // 4 * 4 if len(body or b"") >= first else len(found[1])
        encoded = found[1][:whole].rstrip(b"=")
        try:
            return base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))[:limit]
        except (binascii.Error, ValueError):
            return None

    def _ask(self, path: str, params: dict[str, str] | None = None) -> Ask:
        return Ask("GET", self._base_url + path, params)


def _missing(messages: dict[str, Candidate], wanted: Sequence[Wanted]) -> list[Wanted]:
    found = {one.found.message_id for one in choose(messages.values(), wanted)}
    return [w for w in wanted if w.message_id not in found]


def _by_ids(names: Iterable[str]) -> str:
    """Return a search for any of these Message-IDs; braces mean "or"."""
    clean = [re.sub(r"[\s{}()\"]", "", name).strip("<>") for name in names]
    return "{" + " ".join(f"rfc822msgid:{name}" for name in clean if name) + "}"


def _candidate(key: str, message: Row, place: Place) -> Candidate:
    return Candidate(
        key=key,
        folder=place.folder,
        role=place.role,
        headers=_headers(message),
        tab=place.tab,
        received_at=_came(message),
    )


def _headers(message: Row) -> bytes:
    payload = message.get("payload")
    found = listed(NAME, payload if isinstance(payload, dict) else {}, "headers")
    return header_block((text(row, "name"), text(row, "value")) for row in found)


def _came(message: Row) -> datetime | None:
    """Read internalDate: milliseconds since 1970, as a text."""
    value = text(message, "internalDate")
    if not (value.isascii() and value.isdigit() and len(value) <= 14):
        return None
    return datetime.fromtimestamp(int(value) / 1000, UTC)


def _is_passing(answer: Answer) -> bool:
    """Is this 403 a limit of rate, which Gmail also tells so?"""
    return answer.status == 403 and any(reason in _PASSING for reason in _reasons(answer))


def _reasons(answer: Answer) -> list[str]:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return []
    error = body.get("error") if isinstance(body, dict) else None
    found = rows(error.get("errors")) if isinstance(error, dict) else []
    return [text(row, "reason").lower() for row in found]


def _path(key: str) -> str:
    return quote(key, safe="")
