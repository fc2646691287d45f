"""Signing in by an access token: XOAUTH2 and OAUTHBEARER, and a token that is refused."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monitor.core.campaigns import Wanted
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.seeds import ProviderFacts
from monitor.mailboxes.imap import ImapMailbox

Start = Callable[..., Any]
Open = Callable[..., ImapMailbox]
Want = Callable[..., Wanted]

STALE, FRESH = "ya29.stale-token-of-a-seed", "ya29.fresh-token-of-a-seed"
REFUSED = b"TAG NO [AUTHENTICATIONFAILED] Invalid credentials\r\n"
OFFERS = b"* OK [CAPABILITY IMAP4rev1 %b] hi\r\n"
WHY = {"status": "400", "schemes": "Bearer", "error_description": "the token has expired"}


class Tokens:
    """Gives out *tokens* one after another, the next one once one was rejected."""

    def __init__(self, *tokens: str) -> None:
        self._tokens: Iterator[str] = iter(tokens)
        self._now = next(self._tokens)
        self.rejected: list[str] = []

    def token(self) -> str:
        return self._now

    def reject(self, token: str) -> None:
        self.rejected.append(token)
        self._now = next(self._tokens, self._now)


def initial(token: str) -> str:
    return base64.b64encode(f"user=a@seed.example\x01auth=Bearer {token}\x01\x01".encode()).decode()


def challenge(**told: str) -> bytes:
    return b"+ " + base64.b64encode(json.dumps(told).encode()) + b"\r\n"


def refusing(*tokens: str, text: bytes = challenge(**WHY)) -> dict[str, bytes]:
    """Answer XOAUTH2 with OK, but challenge these tokens and then refuse them."""
    answers = {"AUTHENTICATE XOAUTH2": b"TAG OK [CAPABILITY IMAP4rev1] in\r\n"}
    return answers | {f"AUTHENTICATE XOAUTH2 {initial(token)}": text for token in tokens}


def test_a_token_is_sent_at_once_where_the_server_takes_that(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted(refusing(), greeting=OFFERS % b"SASL-IR AUTH=XOAUTH2 AUTH=PLAIN")
    tokens = Tokens(FRESH)

    assert len(mailbox(server.endpoint, tokens=tokens).look([wanted()])) == 1

    assert server.commands[0] == f"AUTHENTICATE XOAUTH2 {initial(FRESH)}"
    assert [c for c in server.commands if c.startswith("LOGIN")] == []
    assert tokens.rejected == []


def test_a_token_waits_for_the_server_s_word_where_it_must(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    answers = {"AUTHENTICATE XOAUTH2": b"+ \r\n", initial(FRESH): b"S1 OK in\r\n"}
    server = scripted(answers, greeting=OFFERS % b"AUTH=XOAUTH2")
    server.answers[""] = b"S1 OK in\r\n"  # a line without a blank is no command to it

    mailbox(server.endpoint, tokens=Tokens(FRESH)).look([wanted()])

    assert server.commands[:2] == ["AUTHENTICATE XOAUTH2", ""]


def test_mechanisms_that_the_greeting_does_not_tell_are_asked_for(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    told = b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR\r\nTAG OK done\r\n"
    server = scripted({**refusing(), "CAPABILITY": told})

    mailbox(server.endpoint, tokens=Tokens(FRESH)).look([wanted()])

    assert server.commands[:2] == ["CAPABILITY", f"AUTHENTICATE XOAUTH2 {initial(FRESH)}"]


def test_oauthbearer_is_spoken_where_only_that_is_offered(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    """RFC 7628 section 3.1; the name's "=" and "," are escaped as in GS2."""
    server = scripted(
        {"AUTHENTICATE OAUTHBEARER": b"TAG OK in\r\n"},
        greeting=OFFERS % b"SASL-IR AUTH=OAUTHBEARER",
    )

    mailbox(server.endpoint, address="a=b,c@seed.example", tokens=Tokens(FRESH)).look([wanted()])

    sent = base64.b64decode(server.commands[0].rpartition(" ")[2]).decode()
    port = server.endpoint.port
    assert sent == (
        f"n,a=a=3Db=2Cc@seed.example,\x01host=127.0.0.1\x01port={port}\x01"
        f"auth=Bearer {FRESH}\x01\x01"
    )


def test_a_refused_token_is_replaced_once(scripted: Start, mailbox: Open, wanted: Want) -> None:
    """The server's challenge wants an empty line before it says NO."""
    server = scripted(
        {**refusing(STALE), "": b"S1 NO sorry\r\n"}, greeting=OFFERS % b"SASL-IR AUTH=XOAUTH2"
    )
    tokens = Tokens(STALE, FRESH)

    assert len(mailbox(server.endpoint, tokens=tokens).look([wanted()])) == 1

    assert tokens.rejected == [STALE]
    attempts = [
        f"AUTHENTICATE XOAUTH2 {initial(STALE)}",
        "",
        f"AUTHENTICATE XOAUTH2 {initial(FRESH)}",
    ]
    assert server.commands[:3] == attempts


@pytest.mark.parametrize("tokens", [(STALE,), (STALE, FRESH)], ids=["no other", "refused too"])
def test_a_token_that_stays_refused_needs_a_person(
    scripted: Start,
    mailbox: Open,
    wanted: Want,
    facts: dict[str, ProviderFacts],
    tokens: tuple[str, ...],
) -> None:
    server = scripted(
        refusing(STALE, FRESH, text=REFUSED), greeting=OFFERS % b"SASL-IR AUTH=XOAUTH2"
    )
    source = Tokens(*tokens)

    with pytest.raises(MailboxLockedError, match="sign-in refused") as caught:
        mailbox(server.endpoint, "gmail", tokens=source).look([wanted()])

    assert source.rejected == list(tokens)
    assert caught.value.remedy == facts["gmail"].login_remedy


def test_why_a_token_was_refused_is_told_and_the_token_is_not(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    answers = {**refusing(STALE), "": f"S1 NO what is {initial(STALE)}?\r\n".encode()}
    server = scripted(answers, greeting=OFFERS % b"SASL-IR AUTH=XOAUTH2")

    with pytest.raises(MailboxLockedError) as caught:
        mailbox(server.endpoint, tokens=Tokens(STALE)).look([wanted()])

    assert "status 400, error_description the token has expired" in str(caught.value)
    assert initial(STALE) not in str(caught.value)
    assert STALE not in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [b"+ !!!\r\n", b"+ W1tb\r\n", b"+ eyJzdGF0dXMiOiB7fX0=\r\n", b"+ " + b"x" * 9000 + b"\r\n"],
)
def test_a_challenge_without_sense_is_answered_and_not_believed(
    scripted: Start, mailbox: Open, wanted: Want, said: bytes
) -> None:
    server = scripted(
        {**refusing(STALE, text=said), "": b"S1 NO no\r\n"},
        greeting=OFFERS % b"SASL-IR AUTH=XOAUTH2",
    )

    with pytest.raises(MailboxLockedError, match="sign-in refused"):
        mailbox(server.endpoint, tokens=Tokens(STALE)).look([wanted()])


def test_a_server_that_asks_without_end_is_given_up(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted(
        {**refusing(STALE), "": b"+ again\r\n"}, greeting=OFFERS % b"SASL-IR AUTH=XOAUTH2"
    )

    with pytest.raises(MailboxBusyError, match="have no end"):
        mailbox(server.endpoint, tokens=Tokens(STALE)).look([wanted()])


def test_a_refusal_that_passes_does_not_cost_the_token(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    answer = b"TAG NO [UNAVAILABLE] try again later\r\n"
    server = scripted({"AUTHENTICATE": answer}, greeting=OFFERS % b"SASL-IR AUTH=XOAUTH2")
    tokens = Tokens(STALE, FRESH)

    with pytest.raises(MailboxBusyError, match="no sign-in for now"):
        mailbox(server.endpoint, tokens=tokens).look([wanted()])

    assert tokens.rejected == []


def test_a_server_without_such_a_mechanism_needs_a_person(
    scripted: Start, mailbox: Open, wanted: Want
) -> None:
    server = scripted({}, greeting=OFFERS % b"AUTH=PLAIN")

    with pytest.raises(MailboxLockedError, match="takes no sign-in by access token"):
        mailbox(server.endpoint, tokens=Tokens(FRESH)).look([wanted()])

    assert [c for c in server.commands if "LOGIN" in c or "AUTH" in c] == []
