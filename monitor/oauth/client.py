"""Asks a provider for tokens: with MSAL at Microsoft, by RFC 6749 everywhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.bounded_http import (
    Answer,
    Ask,
    Json,
    Service,
    is_token,
    json_object,
    refusal,
    retry_after,
    seconds,
)
from monitor.core.errors import (
    AgainLaterError,
    BadInputError,
    MailboxBusyError,
    MailboxLockedError,
    PersonNeededError,
)
from monitor.oauth.apps import MICROSOFT, OAuthApp
from monitor.oauth.microsoft import Microsoft

NAME = "The provider's sign-in"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_APP_ERRORS = {
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "unsupported_grant_type",
    "deleted_client",  # this and the next one are Google's
    "disabled_client",
}
_PERSON_ERRORS = {"invalid_grant", "interaction_required", "consent_required", "login_required"}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a provider gave us. `repr` shows no token."""

    access_token: str = field(repr=False)
    life_s: float
    refresh_token: str = field(repr=False, default="")  # "": the old one stays good


class OAuthClient:
    """One registered application. Safe between threads.

    Args:
        timeout_s: for each wait, and for a whole answer.
        ca_file: CA certificates to trust instead of the system's.
    """

    def __init__(
        self, app: OAuthApp, *, timeout_s: float = 30.0, ca_file: str | None = None
    ) -> None:
        self.app = app
        self.service = Service(NAME, timeout_s, ca_file)
        is_own = app.kind == MICROSOFT and not app.token_url
        self.microsoft = Microsoft(app, self.service) if is_own else None

    def __repr__(self) -> str:
        return f"OAuthClient({self.app!r})"

    def refresh(self, refresh_token: str) -> Grant:
        """Return a fresh access token (RFC 6749 section 6).

        Raises:
            MailboxLockedError: the grant was withdrawn, or the application is not what the
                provider knows; a person must act.
            MailboxBusyError: no answer now; `retry_after` if the provider told.
        """
        if self.microsoft is not None:
            return self.grant_of(self.microsoft.refresh(refresh_token))
        return self.redeem({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def redeem(self, form: Mapping[str, str]) -> Grant:
        """Exchange what *form* holds for tokens; raises as `refresh`."""
        return self.grant_of(self.asked(self.app.token_address, form))

    def asked(self, url: str, form: Mapping[str, str]) -> dict[str, Json]:
        """POST *form* with our name and secret; return the answer, which may tell of an error.

        Raises:
            BadInputError: the configuration has no such address.
            MailboxBusyError: no answer that makes sense.
            MailboxLockedError: the server's certificate is not its own.
        """
        if not url:
            raise BadInputError(
                "oauth", self.app.client_id, "has no address for this", remedy="Give it one."
            )
        secret = {"client_secret": self.app.client_secret} if self.app.client_secret else {}
        try:
            with self.service.talk() as talk:
                whole = {"client_id": self.app.client_id, **secret, **form}
                return understood(talk.send(Ask("POST", url, form=whole)))
        except PersonNeededError as error:
            raise MailboxLockedError(error.what, remedy=error.remedy) from error
        except AgainLaterError as error:
            raise MailboxBusyError(error.what, retry_after=error.retry_after) from error

    def grant_of(self, answer: Mapping[str, Json]) -> Grant:
        """Return the tokens of an answer; raises as `refresh`."""
        error = answer.get("error")
        if error is not None:
            raise self.refused(str(error))
        token, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(token, str) or not is_token(token):
            raise MailboxBusyError(f"{NAME} answered without a token.")
        fresh = refresh if isinstance(refresh, str) and is_token(refresh) else ""
        return Grant(token, seconds(answer.get("expires_in")), fresh)

    def refused(self, code: str) -> MailboxLockedError | MailboxBusyError:
        """Return the error that an error code of RFC 6749 section 5.2 means."""
        shown = "".join(c for c in code[:60] if (c.isascii() and c.isalnum()) or c in "_-")
        if code in _PERSON_ERRORS:
            return MailboxLockedError(
                f"{NAME} no longer honours the grant ({shown}).",
                remedy="Give it again: seedwatch seeds authorize ADDRESS.",
            )
        if code in _APP_ERRORS:
            return MailboxLockedError(
                f"{NAME} refuses our application ({shown}).",
                remedy="Check client id, secret and scopes of its [oauth] section.",
            )
        # What is not known may pass: RFC 6749 allows temporarily_unavailable and others here.
        return MailboxBusyError(f"{NAME} cannot answer now ({shown}).")


def understood(answer: Answer) -> dict[str, Json]:
    """Return the JSON object of an answer that may tell of an error (RFC 6749 section 5.2).

    Raises:
        AgainLaterError: too many requests, the server's own trouble, or no such object.
    """
    if answer.status == 429 or answer.status >= 500 or answer.status not in {200, 400, 401, 403}:
        problem = refusal(NAME, "cannot answer now", answer)
        raise AgainLaterError(problem, retry_after=retry_after(answer.headers))
    value = json_object(NAME, Answer(200, answer.headers, answer.body))
    if answer.status != 200 and not isinstance(value.get("error"), str):
        raise AgainLaterError(refusal(NAME, "makes no sense", answer), retry_after=timedelta())
    return value
