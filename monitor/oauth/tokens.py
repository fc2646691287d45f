"""Access tokens that are renewed from a refresh token, which may change each time."""

import threading
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.oauth.client import NAME, Grant, OAuthClient

_EARLY_S = 120.0  # a token is renewed so long before it ends
_SHORTEST_S = 30.0  # a token is used at least so long, whatever life it is said to have


class RefreshingTokens:
    """A `TokenSource` (see core/ports.py) for one account. Safe between threads.

    Microsoft gives a new refresh token each time and lets the old ones end. So the new one is
    handed to `keep` before the access token that came with it is used: if it cannot be kept,
    that is an error now, and not a mailbox that is locked in 90 days.

    Args:
        refresh_token: as kept.
        keep: writes a new one down, for good; what it raises is passed on.
        newest: reads what is kept now, as another process may have renewed it: some providers
            take a refresh token that is used twice for a stolen one, and withdraw the grant.
        monotonic_s: a clock that only runs forward, in seconds.
    """

    def __init__(
        self,
        client: OAuthClient,
        refresh_token: str,
        keep: Callable[[str], None],
        *,
        newest: Callable[[], str] = str,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self._client = client
        self._refresh_token = refresh_token
        self._is_kept = True
        self._keep = keep
        self._newest = newest
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._token = ""
        self._ends_s = 0.0
        self._rests_until_s = float("-inf")

    def __repr__(self) -> str:
        return f"RefreshingTokens({self._client!r})"

    def token(self) -> str:
        """Return an access token that should be good now.

        Raises:
            MailboxLockedError: there is no grant, or it was withdrawn.
            MailboxBusyError: none can be had now; `retry_after` if the provider told.
        """
        with self._lock:
            if not self._token or self._monotonic_s() >= self._ends_s:
                self._renew()
            return self._token

    def reject(self, token: str) -> None:
        with self._lock:
            if token == self._token:
                self._token = ""

    def _renew(self) -> None:
        self._token = ""
        self._keep_new()
        self._refresh_token = self._newest() or self._refresh_token
        if not self._refresh_token:
            raise MailboxLockedError(
                "nobody has let us into this mailbox yet.",
                remedy="Do so: seedwatch seeds authorize ADDRESS.",
            )
        grant = self._asked()
        if grant.refresh_token and grant.refresh_token != self._refresh_token:
            self._refresh_token, self._is_kept = grant.refresh_token, False
            self._keep_new()
        self._token = grant.access_token
        self._ends_s = self._monotonic_s() + max(grant.life_s - _EARLY_S, _SHORTEST_S)

    def _asked(self) -> Grant:
        """Ask for a fresh token, unless the provider wants to be left alone now."""
        left_s = self._rests_until_s - self._monotonic_s()
        if left_s > 0:
            wait = timedelta(seconds=left_s)
            raise MailboxBusyError(
                f"{NAME} is left alone for {left_s:.0f} s more, as it asked for.", retry_after=wait
            )
        try:
            return self._client.refresh(self._refresh_token)
        except MailboxBusyError as error:
            if error.retry_after:
                self._rests_until_s = self._monotonic_s() + error.retry_after.total_seconds()
            raise

    def _keep_new(self) -> None:
        """Write a new refresh token down; where that failed before, once more."""
        if not self._is_kept:
            self._keep(self._refresh_token)
            self._is_kept = True
