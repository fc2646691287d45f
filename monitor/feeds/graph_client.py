"""Reads a list from Microsoft Graph page by page, as an app, with a new token each time.

mailboxes/ has a client of its own for its many small questions; edges never import each
other, and a feed that asks every few minutes needs neither cache nor renewal.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from time import monotonic
from typing import TypeAlias
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from monitor.core.errors import AgainLaterError, PersonNeededError

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_ANSWER = 16 * 1024 * 1024
_LONGEST_WAIT_S = 24 * 3600
_REMEDY = "Grant the app ServiceHealth.Read.All, and check tenant, client id and secret."


class _Bearer(AuthBase):
    """Keeps requests from taking other credentials out of a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class GraphClient:
    """One app in one tenant (OAuth 2.0 client credentials, RFC 6749 section 4.4)."""

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

    def __repr__(self) -> str:
        return f"GraphClient({self._token_url!r})"

    def pages(self, path: str, *, at_most: int) -> Iterator[dict[str, Json]]:
        """Yield the pages of a list, with the keys in lower case.

        Raises:
            AgainLaterError: no answer, or one that affirms nothing.
            PersonNeededError: access refused.
        """
        url = self._base_url + path
        with requests.Session() as session:
            token = self._token(session)
            for _ in range(at_most):
                page = self._read(session, "GET", url, token=token)
                yield page
                following = page.get("@odata.nextlink")
                if not isinstance(following, str):
                    return
                if urlsplit(following)[:2] != urlsplit(self._base_url)[:2]:
                    raise AgainLaterError("Microsoft's status goes on at another server.")
                url = following

    def _token(self, session: requests.Session) -> str:
        answer = self._read(session, "POST", self._token_url, data=self._grant)
        token = answer.get("access_token")
        if not isinstance(token, str) or not (token and token.isascii() and token.isprintable()):
            raise AgainLaterError("Microsoft's sign-in answered without a token.")
        return token

    def _read(
        self,
        session: requests.Session,
        method: str,
        url: str,
        *,
        token: str = "",
        data: Mapping[str, str] | None = None,
    ) -> dict[str, Json]:
        deadline = monotonic() + self._timeout_s
        try:
            with session.request(
                method,
                url,
                data=data,
                auth=_Bearer(token) if token else None,
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                _check(response)
                return _json(_body(response, deadline))
        except (requests.RequestException, OSError) as error:
            kind = type(error).__name__  # its text may repeat the request
            raise AgainLaterError(f"Microsoft's status cannot be reached ({kind}).") from error


def _check(response: requests.Response) -> None:
    """Refuse what is no answer; a sign-in page in HTML is none, though its status is 200."""
    status = response.status_code
    if status in {400, 401, 403, 404}:
        problem = f"Microsoft refuses to tell us its status ({status})."
        raise PersonNeededError(problem, remedy=_REMEDY)
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if status != 200 or kind != "application/json":
        wait = response.headers.get("Retry-After", "")
        is_span = wait.isascii() and wait.isdigit() and len(wait) < 10
        raise AgainLaterError(
            f"Microsoft's status cannot be read now ({status}).",
            retry_after=timedelta(seconds=min(int(wait), _LONGEST_WAIT_S)) if is_span else None,
        )


def _body(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.raw.read1(65536, decode_content=True):
        body += chunk
        if len(body) > MAX_ANSWER or monotonic() > deadline:
            raise AgainLaterError("Microsoft's status is too long or too slow.")
    return bytes(body)


def _json(body: bytes) -> dict[str, Json]:
    try:
        answer = _lower(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise AgainLaterError("Microsoft's status is not JSON.") from error
    if not isinstance(answer, dict):
        raise AgainLaterError("Microsoft's status is not a JSON object.")
    return answer


def _lower(value: Json) -> Json:
    if isinstance(value, dict):
        return {key.lower(): _lower(inner) for key, inner in value.items()}
    return [_lower(inner) for inner in value] if isinstance(value, list) else value
