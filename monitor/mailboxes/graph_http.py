"""Asks Microsoft Graph as an app: client credentials in, bounded JSON out."""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TypeAlias
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from monitor.core.errors import MailboxBusyError, MailboxLockedError

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
_Answer: TypeAlias = tuple[requests.Response, bytes]

MAX_ANSWER = 8 * 1024 * 1024
MAX_WAIT = timedelta(days=1)  # that a server may ask of us
_EARLY_S = 60.0  # a token is renewed so long before it ends
_REMEDY = "Check tenant, client id and secret, and the permissions that docs/reading.md lists."


class GraphRefusedError(MailboxLockedError):
    """This tenant does not answer this question: no permission, no licence, no such table."""


class _Bearer(AuthBase):
    """Keeps requests from taking other credentials out of a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class GraphHttp:
    """One app in one tenant. Safe between threads: one request at a time.

    Source: OAuth 2.0 client credentials (RFC 6749 section 4.4) as
    learn.microsoft.com/graph/auth-v2-service describes them.
    """

    def __init__(
        self,
        *,
        base_url: str,
        login_url: str,
        tenant: str,
        client_id: str,
        client_secret: str,
        timeout_s: float,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._token_url = f"{login_url.rstrip('/')}/{tenant}/oauth2/v2.0/token"
        self._grant = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": f"{self._base_url}/.default",
        }
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._token = ""
        self._token_ends = 0.0

    def __repr__(self) -> str:
        return f"GraphHttp({self._token_url!r})"

    def sign_in(self) -> None:
        """Get a token if there is none.

        Raises:
            MailboxLockedError: refused.
            MailboxBusyError: no answer.
        """
        with self._lock, requests.Session() as session:
            self._fresh_token(session)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Json]:
        """GET *path*, or the whole address of a next page. Keys of the answer are lower case.

        Raises:
            GraphRefusedError: 400, 403 or 404.
            MailboxLockedError: signed in, and still not let in.
            MailboxBusyError: no answer, or none that makes sense; `retry_after` if told.
        """
        url = self._address(path)
        return self._ask(lambda session: self._send(session, "GET", url, params=params))

    def post(self, path: str, body: Mapping[str, str]) -> dict[str, Json]:
        """POST *body* as JSON; otherwise as `get`."""
        url = self._address(path)
        return self._ask(lambda session: self._send(session, "POST", url, body=body))

    def _address(self, path: str) -> str:
        if path.startswith("/"):
            return self._base_url + path
        if urlsplit(path)[:2] != urlsplit(self._base_url)[:2]:
            # The token would go there too.
            raise MailboxBusyError("Microsoft Graph points to another server for its next page.")
        return path

    def _ask(self, send: Callable[[requests.Session], _Answer]) -> dict[str, Json]:
        with self._lock, requests.Session() as session:
            self._fresh_token(session)
            response, body = send(session)
            if response.status_code == 401:
                self._token = ""
                self._fresh_token(session)
                response, body = send(session)
        if response.status_code in {400, 403, 404}:
            raise GraphRefusedError(_words("refuses this question", response, body), remedy=_REMEDY)
        if response.status_code == 401:
            raise MailboxLockedError(_words("does not know us", response, body), remedy=_REMEDY)
        return _json(response, body)

    def _fresh_token(self, session: requests.Session) -> None:
        if self._token and monotonic() < self._token_ends:
            return
        response, body = self._send(session, "POST", self._token_url, form=self._grant)
        if response.status_code in {400, 401, 403, 404}:
            raise MailboxLockedError(_words("refuses the sign-in", response, body), remedy=_REMEDY)
        answer = _json(response, body)
        token, life = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise MailboxBusyError("Microsoft Graph's sign-in answered without a token.")
        self._token = token
        life_s = float(life) if isinstance(life, int | float | str) and _is_number(life) else 0.0
        self._token_ends = monotonic() + life_s - _EARLY_S

    def _send(
        self,
        session: requests.Session,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> _Answer:
        """Send one request; a *form* is the sign-in, which has no token yet."""
        deadline = monotonic() + self._timeout_s
        try:
            with session.request(
                method,
                url,
                params=params,
                json=body,
                data=form,
                auth=_Bearer(self._token) if form is None else None,
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response, _body(response, deadline)
        except (requests.RequestException, OSError) as error:
            kind = type(error).__name__  # its text may repeat the request
            raise MailboxBusyError(f"Microsoft Graph cannot be reached ({kind}).") from error


def _body(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.raw.read1(65536, decode_content=True):
        body += chunk
        if len(body) > MAX_ANSWER or monotonic() > deadline:
            raise MailboxBusyError("Microsoft Graph's answer is too long or too slow.")
    return bytes(body)


def _json(response: requests.Response, body: bytes) -> dict[str, Json]:
    """Return a JSON object; anything else affirms nothing."""
    if response.status_code != 200:
        problem = _words("cannot answer now", response, body)
        raise MailboxBusyError(problem, retry_after=retry_after(response.headers))
    try:
        answer = _lower(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise MailboxBusyError("Microsoft Graph's answer is not JSON.") from error
    if not isinstance(answer, dict):
        raise MailboxBusyError("Microsoft Graph's answer is not a JSON object.")
    return answer


def _lower(value: Json) -> Json:
    """Lower the keys: documentation and service differ in their case."""
    if isinstance(value, dict):
        return {key.lower(): _lower(inner) for key, inner in value.items()}
    return [_lower(inner) for inner in value] if isinstance(value, list) else value


def _words(problem: str, response: requests.Response, body: bytes) -> str:
    """Name the error code of an answer; its free text may hold anything."""
    code = ""
    try:
        answer = _lower(json.loads(body[:65536]))
        error = answer.get("error") if isinstance(answer, dict) else None
        found = error.get("code") if isinstance(error, dict) else error
        code = found if isinstance(found, str) else ""
    except (ValueError, RecursionError):
        code = "no JSON"
    shown = "".join(c for c in code[:60] if c.isalnum() or c in "_ -")
    return f"Microsoft Graph {problem} ({response.status_code} {shown})".replace(" )", ")") + "."


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read Retry-After (RFC 9110 section 10.2.3), a date by the server's own clock."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(timedelta(seconds=int(value)), MAX_WAIT)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), MAX_WAIT)


def _is_number(value: float | str) -> bool:
    return not isinstance(value, bool) and str(value).replace(".", "", 1).isdigit()
