"""Microsoft's sign-in through MSAL, with its requests bounded like all of ours."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msal

from monitor.bounded_http import Answer, Ask, Json, Service, refusal, retry_after
from monitor.core.errors import (
    AgainLaterError,
    MailboxBusyError,
    MailboxLockedError,
    PersonNeededError,
)
from monitor.oauth.apps import OAuthApp


class Microsoft:
    """One application at Microsoft. Safe between threads: one request at a time.

    MSAL finds the addresses and forms the requests. Its own token cache stays empty: tokens
    are kept by `RefreshingTokens`, and a refresh token at rest by whoever gave it to us.
    """

    def __init__(self, app: OAuthApp, service: Service) -> None:
        self._app = app
        self._http = _Http(service)
        self._lock = threading.Lock()
        self._made: msal.ClientApplication | None = None

    def refresh(self, refresh_token: str) -> dict[str, Json]:
        """Return the provider's answer, which may tell of an error.

        Raises:
            MailboxBusyError: no answer that makes sense.
            MailboxLockedError: no such tenant, or a certificate that is not Microsoft's.
        """
        return self._ask("acquire_token_by_refresh_token", refresh_token, self._app.own_scopes)

    def start_device(self) -> dict[str, Json]:
        """Begin a device authorization (RFC 8628); raises as `refresh`."""
        return self._ask("initiate_device_flow", self._app.own_scopes)

    def ask_device(self, flow: dict[str, Json]) -> dict[str, Json]:
        """Ask once whether the person has agreed; raises as `refresh`.

        MSAL would wait between two questions by the wall clock; our caller waits by its own.
        """
        flow.pop("latest_attempt_at", None)
        with self._lock:
            ask = self._client().acquire_token_by_device_flow
            return self._guarded(lambda: ask(flow, exit_condition=lambda _: True))

    def _ask(self, verb: str, *arguments: object) -> dict[str, Json]:
        with self._lock:
            return self._guarded(lambda: getattr(self._client(), verb)(*arguments))

    def _guarded(self, ask: Callable[[], object]) -> dict[str, Json]:
        try:
            answer = ask()
        except PersonNeededError as error:
            raise MailboxLockedError(error.what, remedy=error.remedy) from error
        except AgainLaterError as error:
            raise MailboxBusyError(error.what, retry_after=error.retry_after) from error
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            # What MSAL says of an answer may repeat it, and with it a token.
            kind = type(error).__name__
            raise MailboxBusyError(f"Microsoft's sign-in makes no sense ({kind}).") from error
        return answer if isinstance(answer, dict) else {}

    def _client(self) -> msal.ClientApplication:
        """Return MSAL's application; the first time, it asks Microsoft for its addresses."""
        if self._made is None:
            kind = (
                msal.ConfidentialClientApplication
                if self._app.client_secret
                else msal.PublicClientApplication
            )
            self._made = kind(
                self._app.client_id,
                client_credential=self._app.client_secret or None,
                authority=self._app.authority_url,
                instance_discovery=False,
                http_client=self._http,
                token_cache=_NoCache(),
            )
        return self._made


class _NoCache(msal.TokenCache):  # type: ignore[misc]
    """Keeps nothing."""

    def add(self, event: Mapping[str, object], now: object = None) -> None:
        """Forget what MSAL would remember."""


@dataclass(frozen=True, slots=True)
class _Response:
    """An answer in the shape that MSAL asks of an HTTP client."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """Nothing to raise: `_Http` lets no other answers through than those with JSON."""


class _Http:
    """The HTTP client that MSAL is given: bounded, and it follows nothing."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> _Response:
        return self._send(Ask("POST", url, params=params, form=data, headers=headers or {}))

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> _Response:
        return self._send(Ask("GET", url, params=params, headers=headers or {}))

    def close(self) -> None:
        """Nothing is kept open."""

    def _send(self, ask: Ask) -> _Response:
        name = "Microsoft's sign-in"
        with self._service.talk() as talk:
            answer = talk.send(ask)
        if ask.method == "GET" and answer.status in {400, 404}:
            raise PersonNeededError(
                refusal(name, "knows no such tenant", answer),
                remedy="Check the tenant of the [oauth] section.",
            )
        if not _is_object(answer):
            problem = refusal(name, "cannot answer now", answer)
            raise AgainLaterError(problem, retry_after=retry_after(answer.headers))
        return _Response(answer.status, answer.body.decode("utf-8", "replace"), answer.headers)


def _is_object(answer: Answer) -> bool:
    """Is it an answer that MSAL may read: tokens, addresses, or an error in JSON?"""
    if answer.status not in {200, 400, 401, 403} or not answer.is_json:
        return False
    try:
        return isinstance(json.loads(answer.body), dict)
    except (ValueError, RecursionError):
        return False
