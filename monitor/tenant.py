"""Asks a Microsoft 365 tenant as an app: client credentials in, bounded JSON out.

It belongs to no room: mailboxes and feeds both ask so, and edges never import each other.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

from monitor.bounded_http import (
    Ask,
    Json,
    Service,
    is_token,
    json_object,
    refusal,
    seconds,
)
from monitor.core.errors import AgainLaterError, PersonNeededError
from monitor.core.ports import TokenSource

NAME = "Microsoft Graph"
_EARLY_S = 60.0  # a token is renewed so long before it ends


class RefusedError(PersonNeededError):
    """This tenant does not answer this question: no permission, no licence, no such table."""


@dataclass(frozen=True, slots=True)
class TenantAccess:
    """An app registration, and where its tenant is asked. `repr` never shows the secret."""

    tenant: str
    client_id: str
    client_secret: str = field(repr=False)
    base_url: str = "https://graph.microsoft.com"
    login_url: str = "https://login.microsoftonline.com"
    timeout_s: float = 30.0  # for each wait, and for a whole answer

    @property
    def service(self) -> Service:
        return Service(NAME, self.timeout_s)

    @property
    def token_url(self) -> str:
        return f"{self.login_url.rstrip('/')}/{self.tenant}/oauth2/v2.0/token"

    @property
    def grant(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": f"{self.base_url.rstrip('/')}/.default",
        }


def graph_address(base_url: str, path: str) -> str:
    """Return the address of *path*, which may be the whole address of a next page.

    Raises:
        AgainLaterError: it is at another server, which must not get our token.
    """
    base = base_url.rstrip("/")
    if path.startswith("/"):
        return base + path
    try:
        is_here = urlsplit(path)[:2] == urlsplit(base)[:2]
    except ValueError:
        is_here = False
    if not is_here:
        raise AgainLaterError(f"{NAME} points to another server for its next page.")
    return path


class AppTokens:
    """A `TokenSource` for an app in its own name. Safe between threads.

    Source: OAuth 2.0 client credentials (RFC 6749 section 4.4) as
    learn.microsoft.com/graph/auth-v2-service describes them.

    Args:
        remedy: what a person is to do about a refusal.
        monotonic_s: a clock that only runs forward, in seconds.
    """

    def __init__(
        self, access: TenantAccess, *, remedy: str, monotonic_s: Callable[[], float] = monotonic
    ) -> None:
        self._access = access
        self._remedy = remedy
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._token = ""
        self._ends_s = 0.0

    def __repr__(self) -> str:
        return f"AppTokens({self._access!r})"

    def token(self) -> str:
        """Return a token that should be good now.

        Raises:
            PersonNeededError: the sign-in is refused.
            AgainLaterError: no answer.
        """
        with self._lock:
            if not self._token or self._monotonic_s() >= self._ends_s:
                self._token, self._ends_s = self._fresh()
            return self._token

    def reject(self, token: str) -> None:
        with self._lock:
            if token == self._token:
                self._token = ""

    def _fresh(self) -> tuple[str, float]:
        with self._access.service.talk() as talk:
            answer = talk.send(Ask("POST", self._access.token_url, form=self._access.grant))
        if answer.status in {400, 401, 403, 404}:
            problem = refusal(NAME, "refuses the sign-in", answer)
            raise PersonNeededError(problem, remedy=self._remedy)
        found = json_object(NAME, answer, lower=True)
        token = found.get("access_token")
        if not isinstance(token, str) or not is_token(token):
            raise AgainLaterError(f"{NAME}'s sign-in answered without a token.")
        return token, self._monotonic_s() + seconds(found.get("expires_in")) - _EARLY_S


class Tenant:
    """One app in one tenant. Safe between threads.

    Args:
        remedy: what a person is to do about a refusal.
    """

    def __init__(self, access: TenantAccess, *, remedy: str) -> None:
        self.access = access
        self.tokens: TokenSource = AppTokens(access, remedy=remedy)
        self._remedy = remedy

    def __repr__(self) -> str:
        return f"Tenant({self.access!r})"

    def sign_in(self) -> None:
        """Get a token if there is none.

        Raises:
            PersonNeededError: refused.
            AgainLaterError: no answer.
        """
        self.tokens.token()

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Json]:
        """GET *path*, or the whole address of a next page. Keys of the answer are lower case.

        Raises:
            RefusedError: 400, 403 or 404.
            PersonNeededError: signed in, and still not let in; or the sign-in is refused.
            AgainLaterError: no answer, or none that makes sense; `retry_after` if told.
        """
        return self._ask(Ask("GET", graph_address(self.access.base_url, path), params=params))

    def post(self, path: str, body: Mapping[str, str]) -> dict[str, Json]:
        """POST *body* as JSON; otherwise as `get`."""
        return self._ask(Ask("POST", graph_address(self.access.base_url, path), body=body))

    def _ask(self, ask: Ask) -> dict[str, Json]:
        with self.access.service.talk() as talk:
            answer = talk.send_signed(ask, self.tokens)
        if answer.status in {400, 403, 404}:
            problem = refusal(NAME, "refuses this question", answer)
            raise RefusedError(problem, remedy=self._remedy)
        if answer.status == 401:
            problem = refusal(NAME, "does not know us", answer)
            raise PersonNeededError(problem, remedy=self._remedy)
        return json_object(NAME, answer, lower=True)
