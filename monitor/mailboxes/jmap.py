"""Reads a mailbox over JMAP, as Fastmail offers it; every method only reads.

Sources: RFC 8620 (session, requests, result references, errors) and RFC 8621 (Mailbox and
Email: roles, header filters, blobs).
"""

import threading
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from monitor.bounded_http import Answer, Ask, Json, Service
from monitor.core.campaigns import Found, Role, Wanted
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.folders import FolderSight
from monitor.core.ports import PartlyReadError, TokenSource
from monitor.core.seeds import Account, ProviderFacts, Security
from monitor.mailboxes.budget import Share
from monitor.mailboxes.candidates import Candidate, Chosen, Keys, choose, header_block, moment
from monitor.mailboxes.folders import ORDER
from monitor.mailboxes.http_mail import (
    FixedToken,
    MailService,
    MailTalk,
    Row,
    listed,
    shown,
    text,
)
from monitor.mailboxes.jmap_calls import PAGE, folders_call, read_calls, search_calls
from monitor.mailboxes.jmap_session import CORE, MAIL, Session, session_at

MAX_WANTED = 25  # copies of one query
MAX_PAGES = 10

_ROLES = {
    "inbox": Role.INBOX,
    "junk": Role.SPAM,
    "trash": Role.TRASH,
    "archive": Role.OTHER,
}
_OWN = {"sent", "drafts", "templates", "scheduled", "outbox"}  # written here, not received
# Errors of RFC 8620 section 3.6.2 that trying again will not mend.
_LOCKED = {"accountnotfound", "accountnotsupportedbymethod", "forbidden", "accountreadonly"}


class JmapMailbox:
    """A `Mailbox` (see core/ports.py) over JMAP. Safe between threads: one of them reads.

    A look is one request: the folders, and a search whose results the same request fetches.

    Args:
        session_url: of the session resource (RFC 8620 section 2).
        remedy: what a person is to do about a refusal.
    """

    def __init__(
        self,
        tokens: TokenSource,
        *,
        session_url: str,
        remedy: str,
        timeout_s: float,
        ca_file: str | None = None,
        share: Share | None = None,
    ) -> None:
        host = urlsplit(session_url).hostname or "the JMAP server"
        service = Service(host, timeout_s, ca_file)
        self._mail = MailService(service, tokens, remedy, _is_passing, share)
        self._session_url = session_url
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._known = Keys()

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        with self._lock, self._mail.talk() as talk:
            session = self._signed_in(talk)
            if not wanted:
                self._asked(talk, session, [folders_call(session)])
                return []
            chosen: list[Chosen] = []
            unsure = ""
            for start in range(0, len(wanted), MAX_WANTED):
                some, doubt = self._look(talk, session, wanted[start : start + MAX_WANTED])
                chosen += some
                unsure = unsure or doubt
        self._known.learn(chosen)
        found = [one.found for one in chosen]
        if unsure and len(found) < len(wanted):
            raise PartlyReadError(unsure, partial=found)
        return found

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        with self._lock, self._mail.talk() as talk:
            session = self._signed_in(talk)
            calls = read_calls(session, message_id, known=self._known.get(message_id))
            answers = self._asked(talk, session, calls)
            blob = next((text(row, "blobId") for row in self._listed(answers["e"], "list")), "")
            if not blob:
                return None
            return talk.raw(Ask("GET", session.download(blob), first=limit))

    def layout(self) -> list[FolderSight]:
        """Say of every mailbox what it is for (see core/folders.py)."""
        with self._lock, self._mail.talk() as talk:
            session = self._signed_in(talk)
            answers = self._asked(talk, session, [folders_call(session)])
        return [_sight(row) for row in self._listed(answers["m"], "list")]

    def close(self) -> None:
        """Connections end with each look; so does what is known of the server."""
        with self._lock:
            self._session = None

    def _look(
        self, talk: MailTalk, session: Session, wanted: Sequence[Wanted]
    ) -> tuple[list[Chosen], str]:
        """Return what was found, and why nothing can be said of the rest; "" if all was seen."""
        answers = self._asked(
            talk, session, [folders_call(session), *search_calls(session, wanted, 0)]
        )
        folders = {text(row, "id"): row for row in self._listed(answers["m"], "list")}
        messages = self._messages(answers)
        unsure = self._more(talk, session, wanted, answers["q"], messages)
        return choose(_candidates(messages, folders), wanted), unsure

    def _more(
        self,
        talk: MailTalk,
        session: Session,
        wanted: Sequence[Wanted],
        page: Row,
        messages: list[Row],
    ) -> str:
        """Add the pages of a search after the first one; say so if there are still more."""
        position = 0
        for _ in range(MAX_PAGES):
            got = len(self._ids(page))
            position += got
            # A server may give less than was asked for (RFC 8620 section 5.5); it says so.
            size = page.get("limit")
            full = size if isinstance(size, int) and 0 < size < PAGE else PAGE
            if got < full:
                return ""
            answers = self._asked(talk, session, search_calls(session, wanted, position))
            page = answers["q"]
            messages += self._messages(answers)
        return "more messages bear the marks of our copies than are compared."

    def _messages(self, answers: Mapping[str, Row]) -> list[Row]:
        """Return what a search found. Each must be told of, if only that it is gone meanwhile."""
        messages = self._listed(answers["e"], "list")
        gone = answers["e"].get("notFound")
        told = [row.get("id") for row in messages] + (gone if isinstance(gone, list) else [])
        if any(key not in told for key in self._ids(answers["q"])):
            raise MailboxBusyError(f"{self._mail.service.name} keeps back what its search found.")
        return messages

    def _signed_in(self, talk: MailTalk) -> Session:
        if self._session is None:
            self._session = session_at(talk, self._session_url, self._mail.remedy)
        return self._session

    def _asked(
        self, talk: MailTalk, session: Session, calls: Sequence[list[Json]]
    ) -> dict[str, Row]:
        """Send one request; return the answers to its calls by their ids.

        Raises:
            MailboxLockedError: one of the methods is not for us.
            MailboxBusyError: a method failed, or was not answered.
        """
        body = {"using": [CORE, MAIL], "methodCalls": list(calls)}
        answer = talk.object(Ask("POST", session.api_url, body=body))
        if text(answer, "sessionState") != session.state:
            self._session = None  # what we know of the server is out of date
        found: dict[str, Row] = {}
        responses = answer.get("methodResponses")
        for one in responses if isinstance(responses, list) else []:
            match one:
                case ["error", dict() as problem, str()]:
                    raise self._failed(text(problem, "type"))
                case [str(), dict() as result, str() as call]:
                    found[call] = result
        if any(str(call[2]) not in found for call in calls):
            raise MailboxBusyError(f"{self._mail.service.name} left a question unanswered.")
        return found

    def _listed(self, answer: Row, key: str) -> list[Row]:
        return listed(self._mail.service.name, answer, key)

    def _ids(self, answer: Row) -> list[Json]:
        ids = answer.get("ids")
        if not isinstance(ids, list):
            raise MailboxBusyError(f"{self._mail.service.name}'s search found no list.")
        return ids

    def _failed(self, kind: str) -> MailboxLockedError | MailboxBusyError:
        shown = "".join(c for c in kind[:60] if c.isascii() and c.isalnum())
        name = self._mail.service.name
        if kind.lower() in _LOCKED:
            return MailboxLockedError(
                f"{name} refuses to be read ({shown}).", remedy=self._mail.remedy
            )
        return MailboxBusyError(f"{name} cannot answer now ({shown}).")


def open_jmap(
    account: Account,
    facts: ProviderFacts,
    tokens: TokenSource | None,
    *,
    timeout_s: float,
    ca_file: str | None = None,
    share: Share | None = None,
) -> JmapMailbox:
    """Return the mailbox of *account*, whose password is an API token if there are no *tokens*.

    Raises:
        NotFoundError: no JMAP server is known for it.
    """
    remedy = "Make a new API token with read access to mail, and put it into the seed list."
    return JmapMailbox(
        tokens or FixedToken(account.password, remedy=remedy),
        session_url=_session_url(account, facts),
        remedy="seedwatch seeds authorize ADDRESS" if tokens else remedy,
        timeout_s=timeout_s,
        ca_file=None if _is_provider_s(account, facts) else ca_file,
        share=share,
    )


def _is_provider_s(account: Account, facts: ProviderFacts) -> bool:
    """Is it the provider's own server, with a certificate that everybody trusts?"""
    return bool(facts.jmap) and account.endpoint in {None, facts.imap}


def _session_url(account: Account, facts: ProviderFacts) -> str:
    """Return where the session is: the provider's, unless the seed names a server of its own."""
    if _is_provider_s(account, facts):
        return facts.jmap
    server = account.server
    scheme = "http" if server.security is Security.PLAIN else "https"
    # A seed without a port of its own has that of IMAP over TLS, which is none of JMAP.
    port = 443 if server.port == 993 else server.port
    return f"{scheme}://{server.host}:{port}/.well-known/jmap"


def _is_passing(answer: Answer) -> bool:
    """Is it about the request, as a limit is (RFC 8620 section 3.6.1), and not about us?"""
    return answer.status == 400


def _candidates(messages: Sequence[Row], folders: Mapping[str, Row]) -> list[Candidate]:
    found = [_candidate(message, folders) for message in messages]
    return [one for one in found if one is not None]


def _candidate(message: Row, folders: Mapping[str, Row]) -> Candidate | None:
    """Describe a message at the first place of ORDER; None if it was written, not received.

    A folder that vanished while we looked has neither name nor role; the copy is still there.
    """
    held = message.get("mailboxIds")
    ids = [key for key, is_in in held.items() if is_in] if isinstance(held, dict) else []
    places = [folders.get(key, {}) for key in ids]
    received = [place for place in places if text(place, "role").lower() not in _OWN]
    key = text(message, "id")
    if not key or not ids:
        raise MailboxBusyError("the JMAP server's answer makes no sense: it has no message.")
    if not received:
        return None
    place = min(received, key=lambda one: ORDER.index(_role(one)))
    headers = listed("the JMAP server", message, "headers")
    pairs = ((text(row, "name"), text(row, "value")) for row in headers)
    return Candidate(
        key=key,
        folder=shown(text(place, "name")) or "folder",
        role=_role(place),
        headers=header_block(pairs),
        received_at=moment(message.get("receivedAt")),
    )


def _sight(place: Row) -> FolderSight:
    name, role = shown(text(place, "name")) or "folder", text(place, "role").lower()
    if role in _OWN:
        return FolderSight(name, None, f"its role is {shown(role)}: not received mail")
    return FolderSight(
        name, _role(place), f"its role is {shown(role)}" if role else "it has no role"
    )


def _role(place: Row) -> Role:
    return _ROLES.get(text(place, "role").lower(), Role.OTHER)
