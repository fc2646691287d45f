"""Sign-in by OAuth: from [oauth.NAME] and a seed's sealed refresh token to access tokens."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlmodel import Session

from monitor.core.errors import BadInputError, MailboxLockedError
from monitor.core.providers import nearest
from monitor.core.seeds import Account
from monitor.oauth import OAuthApp, OAuthClient, RefreshingTokens, default_scopes
from monitor.settings import Settings
from monitor.store import seeds
from monitor.store.secrets import Vault


@dataclass(slots=True)
class OAuthClients:
    """The registered applications, each asked for what a reader needs. Safe between threads."""

    settings: Settings
    _clients: dict[tuple[str, str], OAuthClient] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str, reader: str) -> OAuthClient:
        """Return the client of [oauth.*name*] for seeds with *reader*.

        Raises:
            BadInputError: it is not configured.
        """
        section = self.settings.oauth.get(name)
        if section is None:
            known = list(self.settings.oauth)
            remedy = nearest(name, known) if known else f"Add [oauth.{name or 'NAME'}]."
            raise BadInputError("oauth", name, "is not configured", remedy=remedy)
        with self._lock:
            if (name, reader) not in self._clients:
                app = OAuthApp(
                    kind=section.kind,
                    client_id=section.client_id,
                    client_secret=section.client_secret.get_secret_value(),
                    tenant=section.tenant,
                    scopes=section.scopes or default_scopes(section.kind, reader),
                    token_url=section.token_url,
                    authorize_url=section.authorize_url,
                    device_url=section.device_url,
                )
                reading = self.settings.reading
                # A CA of one's own does not vouch for Microsoft or Google.
                is_own = section.kind == "custom" and reading.ca_file is not None
                ca_file = str(reading.ca_file) if is_own else None
                self._clients[name, reader] = OAuthClient(
                    app, timeout_s=reading.timeout_s, ca_file=ca_file
                )
            return self._clients[name, reader]


class SeedTokens:
    """One source of tokens for each seed that signs in by OAuth, for the process's life.

    A refresh token that the provider changes is sealed into the seed's row, in a transaction of
    its own that is committed before the access token that came with it is used.
    """

    def __init__(self, clients: OAuthClients, engine: Engine, vault: Vault) -> None:
        self._clients = clients
        self._engine = engine
        self._vault = vault
        self._sources: dict[tuple[str, str, str], _KeptTokens] = {}
        self._lock = threading.Lock()

    def __call__(self, account: Account) -> "_KeptTokens":
        """Return the source for *account*. Raises as `OAuthClients.of`."""
        client = self._clients.of(account.oauth, account.reader)
        place = (account.address, account.oauth, account.reader)
        with self._lock:
            if place not in self._sources:
                self._sources[place] = _KeptTokens(
                    client,
                    account.password,
                    reread=lambda: self._kept(account),
                    keep=lambda token: self._keep(account, token),
                )
            return self._sources[place]

    def _kept(self, account: Account) -> str:
        with Session(self._engine) as session:
            return seeds.grant(session, account.address, account.oauth, self._vault)

    def _keep(self, account: Account, token: str) -> None:
        with Session(self._engine) as session:
            seeds.keep_grant(session, account.address, account.oauth, token, self._vault)
            session.commit()


class _KeptTokens:
    """A `TokenSource` that looks into the seed's row before it renews, and before it gives up.

    Another process may have changed the refresh token, or be about to, or a person may have
    authorized anew.
    """

    def __init__(
        self,
        client: OAuthClient,
        refresh_token: str,
        *,
        reread: Callable[[], str],
        keep: Callable[[str], None],
    ) -> None:
        self._client = client
        self._reread = reread
        self._keep = keep
        self._lock = threading.Lock()
        self._kept = refresh_token
        self._tokens = self._from(refresh_token)

    def token(self) -> str:
        with self._lock:
            try:
                return self._tokens.token()
            except MailboxLockedError:
                now = self._reread()
                if now == self._kept:
                    raise
                self._kept = now
                self._tokens = self._from(now)
                return self._tokens.token()

    def reject(self, token: str) -> None:
        with self._lock:
            self._tokens.reject(token)

    def _from(self, refresh_token: str) -> RefreshingTokens:
        return RefreshingTokens(self._client, refresh_token, self._note, newest=self._newest)

    def _newest(self) -> str:
        self._kept = self._reread() or self._kept
        return self._kept

    def _note(self, refresh_token: str) -> None:
        self._keep(refresh_token)
        self._kept = refresh_token
