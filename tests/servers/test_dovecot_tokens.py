"""Signing in to a real Dovecot by an access token, which it has looked up (RFC 7662)."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.core.campaigns import Wanted
from monitor.core.clock import SystemClock
from monitor.core.errors import MailboxLockedError
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes import imap_sign_in
from monitor.mailboxes.imap import ImapMailbox
from monitor.mailboxes.imap_client import ImapClient
from tests.edges.conftest import ScriptedHttp, http, make_letter
from tests.servers.dovecot import Dovecot, dovecot

pytestmark = pytest.mark.real

FACTS = ProviderFacts("own", "Own", (), None, {}, login_remedy="Sign the seed in anew.")
GOOD = "good-token-of-the-seed"


class Tokens:
    """Gives out *tokens* one after another, the next one once one was rejected."""

    def __init__(self, *tokens: str) -> None:
        self._left = list(tokens)
        self.rejected: list[str] = []

    def token(self) -> str:
        return self._left[0]

    def reject(self, token: str) -> None:
        self.rejected.append(token)
        self._left = self._left[1:] or self._left


@pytest.fixture(scope="module")
def authority() -> Iterator[ScriptedHttp]:
    """Knows one token, and whose it is."""

    def answer(number: int) -> bytes:
        asked = parse_qs(urlsplit(known.requests[number - 1].split(" ")[1]).query)
        told = {"active": asked.get("token") == [GOOD], "username": "seed"}
        return http(200, json.dumps(told), Content_Type="application/json")

    known = ScriptedHttp({"GET /introspect": answer})
    yield known
    known.stop()


@pytest.fixture(scope="module")
def server(authority: ScriptedHttp) -> Iterator[Dovecot]:
    with dovecot(tokens_at=authority.url) as running:
        running.deliver("seed", make_letter(1))
        yield running


def account(server: Dovecot) -> Account:
    return Account("seed", "own", server.endpoint, "seed", "")


def found(server: Dovecot, tokens: Tokens) -> int:
    mailbox = ImapMailbox(account(server), FACTS, timeout_s=20, tokens=tokens)
    try:
        return len(mailbox.look([Wanted("<1@brand.example>", "tok1", SystemClock().now())]))
    finally:
        mailbox.close()


def test_a_good_token_opens_the_mailbox(server: Dovecot) -> None:
    tokens = Tokens(GOOD)

    assert found(server, tokens) == 1
    assert tokens.rejected == []


def test_a_stale_token_is_replaced(server: Dovecot) -> None:
    tokens = Tokens("stale-token-of-the-seed", GOOD)

    assert found(server, tokens) == 1
    assert tokens.rejected == ["stale-token-of-the-seed"]


def test_a_token_that_was_withdrawn_needs_a_person(server: Dovecot) -> None:
    with pytest.raises(MailboxLockedError, match="sign-in refused") as caught:
        found(server, Tokens("stale-token-of-the-seed"))

    assert "; status 401)" in str(caught.value)
    assert caught.value.remedy == "Sign the seed in anew."


@pytest.mark.parametrize(("token", "is_in"), [(GOOD, True), ("stale-token-of-the-seed", False)])
def test_oauthbearer_is_understood_too(server: Dovecot, token: str, is_in: bool) -> None:
    client = ImapClient(server.endpoint, "seed", timeout_s=20)
    client.capabilities -= {"AUTH=XOAUTH2"}
    try:
        if is_in:
            imap_sign_in.sign_in(client, account(server), Tokens(token))
            assert client.batch([b"EXAMINE INBOX"])[0].is_ok
        else:
            with pytest.raises(MailboxLockedError, match="status invalid_token"):
                imap_sign_in.sign_in(client, account(server), Tokens(token))
    finally:
        client.close()
