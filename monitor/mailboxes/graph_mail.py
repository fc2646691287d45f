"""Reads a Microsoft 365 or Outlook.com mailbox through Graph; every request only reads.

Sources: learn.microsoft.com, "List messages", "message" and "mailFolder" (well-known names),
"Combine multiple requests in one HTTP call using JSON batching" and "Obtain immutable
identifiers for Outlook resources", all of Graph v1.0.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote

from monitor.bounded_http import Ask, Service
from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.errors import AgainLaterError, BadInputError, MailboxBusyError
from monitor.core.folders import FolderSight
from monitor.core.ports import PartlyReadError, TokenSource
from monitor.core.seeds import Account
from monitor.mailboxes.budget import Share
from monitor.mailboxes.candidates import Candidate, Chosen, Keys, choose
from monitor.mailboxes.graph import GraphTenant
from monitor.mailboxes.graph_batch import PREFER, batch
from monitor.mailboxes.graph_messages import (
    FIELDS,
    WELL_KNOWN,
    Folder,
    by_ids,
    candidate,
    come_since,
    id_filter,
)
from monitor.mailboxes.http_mail import (
    MailService,
    MailTalk,
    Row,
    is_gone,
    listed,
    shown,
    text,
)
from monitor.tenant import NAME, graph_address

BASE_URL = "https://graph.microsoft.com"
MAX_PAGES = 20  # of one folder in one look, where copies are sought by other marks

_RECOVERABLE = "recoverableitemsdeletions"  # not among a mailbox's messages: asked on its own
_SCANNED = ("inbox", "junkemail")
_GRANT = "Check that the account is open, then run: seedwatch seeds authorize ADDRESS."
_PERMISSION = (
    "Check the address, and give the tenant's app the application permission Mail.Read for this"
    " mailbox (docs/reading.md)."
)
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(slots=True)
class _Look:
    """What one look has brought up so far."""

    wanted: Sequence[Wanted]
    candidates: dict[str, Candidate] = field(default_factory=dict)
    unsure: str = ""  # why nothing can be said of what was not found

    def chosen(self) -> list[Chosen]:
        return choose(self.candidates.values(), self.wanted)

    def missing(self) -> list[Wanted]:
        found = {one.found.message_id for one in self.chosen()}
        return [w for w in self.wanted if w.message_id not in found]


class GraphMailbox:
    """A `Mailbox` (see core/ports.py) over Graph. Safe between threads: one of them reads.

    Args:
        base_url: of Graph, without a version.
        user: whose mailbox, as an app asks for it; "" for the one that the token is of.
    """

    def __init__(self, mail: MailService, *, base_url: str, user: str = "") -> None:
        self._mail = mail
        self._base_url = base_url
        self._root = f"/users/{quote(user, safe='@')}" if user else "/me"
        self._lock = threading.Lock()
        self._folders: dict[str, Folder] = {}  # by id
        self._known = Keys()  # of copies that were known by other marks than their Message-ID

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        with self._lock, self._mail.talk() as talk:
            if not wanted:
                self._folders.clear()  # so that they are asked for, to prove that we may
            self._learn_folders(talk)
            look = _Look(wanted)
            self._search(talk, look)
            try:
                if look.missing():
                    self._search_recoverable(talk, look)
                if look.missing():
                    self._scan(talk, look)
            except AgainLaterError as error:  # what was found by its Message-ID is known
                look.unsure = error.what
            chosen = look.chosen()
        self._known.learn(c for c in chosen if c.found.match is not Match.MESSAGE_ID)
        found = [one.found for one in chosen]
        if look.unsure and len(found) < len(wanted):
            raise PartlyReadError(look.unsure, partial=found)
        return found

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        with self._lock, self._mail.talk() as talk:
            key = self._known.get(message_id) or self._id_of(talk, message_id)
            if key is None:
                return None
            path = f"{self._root}/messages/{quote(key, safe='')}/$value"
            return talk.raw(self._ask(path, first=limit))

    def layout(self) -> list[FolderSight]:
        """Say of the well-known folders what they are for (see core/folders.py)."""
        with self._lock, self._mail.talk() as talk:
            self._folders.clear()
            self._learn_folders(talk)
            return [
                FolderSight(one.name, one.role, f"Microsoft knows it as {one.known_as}")
                for one in self._folders.values()
            ]

    def close(self) -> None:
        """Connections end with each look."""

    def _learn_folders(self, talk: MailTalk) -> None:
        """Ask for the ids of the well-known folders: all in one request, once."""
        if self._folders:
            return
        names = list(WELL_KNOWN)
        asked = [f"{self._root}/mailFolders/{name}?$select=id,displayName" for name in names]
        folders: dict[str, Folder] = {}
        for name, answer in zip(names, batch(talk, self._base_url, asked), strict=True):
            # An account need not have an archive, and an app need not be let into what was
            # deleted for good; but a mailbox without an inbox is none.
            if name != "inbox" and (is_gone(answer.as_http) or answer.status == 403):
                continue
            talk.check_part(answer.as_http)
            folders[text(answer.body, "id")] = Folder(
                shown(text(answer.body, "displayName")) or name, WELL_KNOWN[name], known_as=name
            )
        self._folders = folders

    def _search(self, talk: MailTalk, look: _Look) -> None:
        """Look for the copies by their Message-IDs, or by Graph's own id where that is known."""
        paths = [self._path_of(w) for w in look.wanted]
        answers = batch(talk, self._base_url, paths)
        for wanted, answer in zip(look.wanted, answers, strict=True):
            by_id = self._known.get(wanted.message_id) is not None
            if by_id and is_gone(answer.as_http):
                continue
            talk.check_part(answer.as_http)
            found = [answer.body] if by_id else listed(NAME, answer.body, "value")
            self._take(talk, look, found)

    def _search_recoverable(self, talk: MailTalk, look: _Look) -> None:
        """Look among what was deleted for good, where we are let in."""
        start = f"{self._root}/mailFolders/{_RECOVERABLE}/messages"
        asked = [f"{start}?{by_ids(w)}" for w in look.missing()]
        for answer in batch(talk, self._base_url, asked):
            if answer.status in {403, 404}:
                continue  # not let in, or nothing was ever deleted
            talk.check_part(answer.as_http)
            self._take(talk, look, listed(NAME, answer.body, "value"))

    def _scan(self, talk: MailTalk, look: _Look) -> None:
        """Compare what came lately: a gateway or mail service may have changed the Message-ID."""
        since = min(w.sent_at for w in look.missing()) - _CLOCKS_DIFFER
        there = {folder.known_as for folder in self._folders.values()}
        for name in (name for name in _SCANNED if name in there):
            path = f"{self._root}/mailFolders/{name}/messages?{come_since(since)}"
            for page in self._pages(talk, path, look):
                self._take(talk, look, page)
                if not look.missing():
                    return

    def _pages(self, talk: MailTalk, path: str, look: _Look) -> Iterator[list[Row]]:
        following: object = path
        for _ in range(MAX_PAGES):
            if not isinstance(following, str):
                return
            answer = talk.known(self._ask(following))
            if answer is None:
                look.unsure = "a folder went away while we looked."
                return
            yield listed(NAME, answer, "value")
            following = answer.get("@odata.nextLink")
        if isinstance(following, str):
            look.unsure = "the mailbox has got more mail since than is compared in one look."

    def _take(self, talk: MailTalk, look: _Look, messages: Sequence[Row]) -> None:
        for message in messages:
            key = text(message, "id")
            if key in look.candidates:
                continue
            if not key or not text(message, "parentFolderId"):
                raise MailboxBusyError(f"{NAME}'s answer makes no sense: it has no message.")
            folder = self._folder(talk, text(message, "parentFolderId"))
            if folder is None:
                look.unsure = "a folder vanished while we looked."
            elif folder.role is not None:
                look.candidates[key] = candidate(key, message, folder, folder.role)

    def _folder(self, talk: MailTalk, key: str) -> Folder | None:
        """Return the folder of this id: one that is not well known was made by the owner."""
        if key not in self._folders:
            path = f"{self._root}/mailFolders/{quote(key, safe='')}?$select=id,displayName"
            answer = talk.known(self._ask(path))
            if answer is None:
                return None
            self._folders[key] = Folder(shown(text(answer, "displayName")) or "folder", Role.OTHER)
        return self._folders[key]

    def _id_of(self, talk: MailTalk, message_id: str) -> str | None:
        query = f"{id_filter([message_id])}&$select=id&$top=1"
        answer = talk.object(self._ask(f"{self._root}/messages?{query}"))
        return next((text(row, "id") for row in listed(NAME, answer, "value")), None)

    def _path_of(self, wanted: Wanted) -> str:
        key = self._known.get(wanted.message_id)
        if key is not None:
            return f"{self._root}/messages/{quote(key, safe='')}?$select={FIELDS}"
        return f"{self._root}/messages?{by_ids(wanted)}"

    def _ask(self, path: str, *, first: int | None = None) -> Ask:
        where = f"/v1.0{path}" if path.startswith("/") else path
        return Ask("GET", graph_address(self._base_url, where), headers=PREFER, first=first)


def open_graph(
    account: Account,
    tenant: GraphTenant | None,
    tokens: TokenSource | None,
    *,
    timeout_s: float,
    share: Share | None = None,
) -> GraphMailbox:
    """Return the mailbox of *account*, read with *tokens* of its owner, else as the tenant's app.

    Raises:
        BadInputError: there is neither.
    """
    if tokens is not None:
        service = Service(NAME, timeout_s)
        return GraphMailbox(MailService(service, tokens, _GRANT, share=share), base_url=BASE_URL)
    if tenant is None:
        raise BadInputError("tenant", "", "is missing", remedy="Name a tenant, or an oauth.")
    access = tenant.tenant.access
    mail = MailService(Service(NAME, timeout_s), tenant.tenant.tokens, _PERMISSION, share=share)
    return GraphMailbox(mail, base_url=access.base_url, user=account.address)
