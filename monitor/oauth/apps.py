"""An application that is registered with a provider, and where the provider is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MICROSOFT = "microsoft"
GOOGLE = "google"
CUSTOM = "custom"

_GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret
_GOOGLE_AUTHORIZE = "https://accounts.google.com/o/oauth2/v2/auth"
# Each token is for one resource, so the reader decides what is asked for. Source:
# learn.microsoft.com "Authenticate an IMAP, POP or SMTP connection using OAuth" and "Mail.Read";
# developers.google.com "Choose Gmail API scopes" (the scope gmail.metadata cannot search).
_SCOPES: Mapping[tuple[str, str], tuple[str, ...]] = {
    (MICROSOFT, "graph"): ("https://graph.microsoft.com/Mail.Read",),
    (MICROSOFT, ""): ("https://outlook.office.com/IMAP.AccessAsUser.All",),
    (GOOGLE, "gmail"): ("https://www.googleapis.com/auth/gmail.readonly",),
    (GOOGLE, ""): ("https://mail.google.com/",),
}
# MSAL adds these by itself, and refuses to be told of them.
_RESERVED = {"openid", "profile", "offline_access"}


def default_scopes(kind: str, reader: str) -> tuple[str, ...]:
    """Return the scopes by which *reader* may read mail; () for a custom provider."""
    return _SCOPES.get((kind, reader)) or _SCOPES.get((kind, ""), ())


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """One [oauth.NAME] of the configuration. `repr` never shows the secret.

    An address that is empty is the provider's own; a custom provider has none of its own.
    """

    kind: str  # "microsoft", "google" or "custom"
    client_id: str
    client_secret: str = field(repr=False, default="")
    tenant: str = "common"
    scopes: Sequence[str] = ()
    token_url: str = ""
    authorize_url: str = ""
    device_url: str = ""
    authority: str = "https://login.microsoftonline.com"  # Microsoft's sign-in, or a stand-in

    @property
    def own_scopes(self) -> list[str]:
        """The scopes without those that every sign-in at Microsoft has."""
        return [scope for scope in self.scopes if scope not in _RESERVED]

    @property
    def token_address(self) -> str:
        return self.token_url or self._own("token", _GOOGLE_TOKEN)

    @property
    def authorize_address(self) -> str:
        return self.authorize_url or self._own("authorize", _GOOGLE_AUTHORIZE)

    def _own(self, microsoft: str, google: str) -> str:
        if self.kind == MICROSOFT:
            return f"{self.authority_url}/oauth2/v2.0/{microsoft}"
        return google if self.kind == GOOGLE else ""

    @property
    def authority_url(self) -> str:
        return f"{self.authority.rstrip('/')}/{self.tenant}"
