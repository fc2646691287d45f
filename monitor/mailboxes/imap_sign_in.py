"""Signing in: LOGIN, SASL PLAIN, and an access token by XOAUTH2 or OAUTHBEARER."""

import base64
import binascii
import json

from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.ports import TokenSource
from monitor.core.seeds import Account
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.imap_client import ImapClient, Reply
from monitor.mailboxes.imap_refusals import is_throttling
from monitor.mailboxes.imap_wire import Response

_SHOWN = ("status", "error", "error_description")  # of a refused token's JSON


def sign_in(client: ImapClient, account: Account, tokens: TokenSource | None = None) -> None:
    """Sign *client* in: by a token where there are *tokens*, else by the account's password.

    A refused token is rejected, and a fresh one tried once.

    Raises:
        MailboxLockedError: refused for good (the caller knows the remedy).
        MailboxBusyError: a refusal that passes, or no token to be had now.
    """
    if tokens is None:
        _finish(client, _by_password(client, account))
        return
    token = tokens.token()
    reply, why = _by_token(client, account, token)
    if _is_final(reply):
        tokens.reject(token)
        fresh = tokens.token()
        if fresh != token:
            reply, why = _by_token(client, account, fresh)
            if _is_final(reply):
                tokens.reject(fresh)
    _finish(client, reply, why)


def _finish(client: ImapClient, reply: Reply, why: str = "") -> None:
    """Learn what the server offers now that we are in, or raise what its refusal means."""
    if reply.is_ok:
        client.capabilities |= wire.capabilities(reply.code("CAPABILITY") or "")
        return
    said = client.said(reply.end)
    if _is_final(reply):
        reason = f"{said}; {why}" if why else said
        raise MailboxLockedError(client.stream.words(f"sign-in refused ({reason})"))
    raise busy(client, "no sign-in for now", reply.end)


def _is_final(reply: Reply) -> bool:
    return reply.end.word == "NO" and not reply.is_passing_refusal


def busy(client: ImapClient, problem: str, end: Response) -> MailboxBusyError:
    """Return the error that says *problem* in the server's words."""
    words = f"{problem} ({client.said(end)})"
    return client.stream.throttled(words) if is_throttling(end) else client.stream.busy(words)


def _by_password(client: ImapClient, account: Account) -> Reply:
    text = account.username + account.password
    plain = _base64(f"\0{account.username}\0{account.password}")
    client.secrets = (_start(account.password, 4), plain[:12])
    if text.isascii() and text.isprintable() and "LOGINDISABLED" not in client.capabilities:
        line = b"LOGIN %b %b" % (wire.quoted(account.username), wire.quoted(account.password))
        client.capabilities = frozenset()
        return client.batch([line])[0]
    return _authenticate(client, "PLAIN", plain, [])  # which carries any character (RFC 4616)


def _by_token(client: ImapClient, account: Account, token: str) -> tuple[Reply, str]:
    """Offer *token*; return the reply, and what the server says against the token."""
    if not any(name.startswith("AUTH=") for name in client.capabilities):
        client.batch([b"CAPABILITY"])  # many greetings do not tell the mechanisms
    offered = client.capabilities
    if "AUTH=XOAUTH2" in offered:
        name, text = "XOAUTH2", xoauth2(account.username, token)
    elif "AUTH=OAUTHBEARER" in offered:
        name, text = "OAUTHBEARER", oauthbearer(account, token)
    else:
        raise MailboxLockedError(
            client.stream.words("its server takes no sign-in by access token"),
            remedy="Give this seed a password instead, or the host that its provider names.",
        )
    encoded = _base64(text)
    client.secrets = (_start(token, 12), encoded[:12])
    challenges: list[Response] = []
    reply = _authenticate(client, name, encoded, challenges)
    if not reply.is_ok:
        client.capabilities = offered
    return reply, next((why for c in challenges if (why := _complaint_of(c))), "")


def _authenticate(
    client: ImapClient, mechanism: str, response: str, challenges: list[Response]
) -> Reply:
    """Sign in by SASL, with the response at once where the server takes that (RFC 4959).

    What the server asks after it, a refused token's reasons, is put into *challenges* and
    must be answered before it says NO: with nothing in XOAUTH2, with ^A in OAUTHBEARER.
    """
    has_initial = "SASL-IR" in client.capabilities
    client.capabilities = frozenset()
    unsent = [] if has_initial else [response.encode()]
    closing = b"AQ==" if mechanism == "OAUTHBEARER" else b""

    def answer(challenge: Response) -> bytes:
        if unsent:
            return unsent.pop()
        challenges.append(challenge)
        return closing

    line = f"AUTHENTICATE {mechanism} {response}" if has_initial else f"AUTHENTICATE {mechanism}"
    return client.converse(line.encode(), answer)


def xoauth2(username: str, token: str) -> str:
    """Return the response of Google's mechanism, which Microsoft and Yahoo took over.

    Source: developers.google.com/gmail/imap/xoauth2-protocol.
    """
    return f"user={_plain(username)}\x01auth=Bearer {_plain(token)}\x01\x01"


def oauthbearer(account: Account, token: str) -> str:
    """Return the response of RFC 7628 section 3.1; "," and "=" of the name are escaped."""
    name = _plain(account.username).replace("=", "=3D").replace(",", "=2C")
    server = account.server
    where = f"host={server.host}\x01port={server.port}"
    return f"n,a={name},\x01{where}\x01auth=Bearer {_plain(token)}\x01\x01"


def _plain(text: str) -> str:
    """Drop what would end the field that *text* stands in."""
    return "".join(c for c in text if c.isprintable())


def _start(secret: str, length: int) -> str:
    """Return how *secret* begins: a server may cut it short, space it out or quote it."""
    return "".join(secret.split()).replace("\\", "")[:length]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def _complaint_of(challenge: Response) -> str:
    """Return what a refused token's JSON tells (RFC 7628 section 3.2.2); "" if nothing."""
    try:
        told = json.loads(base64.b64decode(challenge.value, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    if not isinstance(told, dict):
        return ""
    return wire.shown(", ".join(f"{key} {told[key]}" for key in _SHOWN if key in told))
