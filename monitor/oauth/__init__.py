"""Sign-in to mailboxes by OAuth 2.0: access tokens from a grant that a person once gave.

It belongs to no room: mailboxes and senders sign in so, and edges never import each other.
"""

from monitor.oauth.apps import OAuthApp, default_scopes
from monitor.oauth.authorize import authorize
from monitor.oauth.client import Grant, OAuthClient
from monitor.oauth.tokens import RefreshingTokens

__all__ = [
    "Grant",
    "OAuthApp",
    "OAuthClient",
    "RefreshingTokens",
    "authorize",
    "default_scopes",
]
