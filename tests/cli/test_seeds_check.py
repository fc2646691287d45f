"""`seedwatch seeds check` tries every seed, and says what is wrong and what to do."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from monitor.cli.seed_trials import SUBJECT
from monitor.cli.seed_troubles import Trouble, problem_of, problem_of_handover
from monitor.core.campaigns import Handover, Outcome, SmtpReply
from monitor.core.clock import SystemClock
from monitor.core.errors import (
    MailboxBusyError,
    MailboxLockedError,
    NotFoundError,
    SeedwatchError,
)
from monitor.core.seeds import Account, Endpoint, ProviderFacts
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.wiring import load_facts
from monitor.wiring.replies import load_replies
from tests.cli.typed import refused, run, setting
from tests.story.relay import relaying

PASSWORD = "pw"
FAULTS = """
[[rule]]
action = "imap_lock"
recipient = "shut@gmx.lab.example"
text = "[AUTHENTICATIONFAILED] Authentication failed"

[[rule]]
action = "rcpt_reject"
recipient = "refused@yahoo.lab.example"
text = "550 5.1.1 no such user"

[[rule]]
action = "full"
recipient = "full@yahoo.lab.example"

[[rule]]
action = "spam"
recipient = "junk@outlook.lab.example"

[[rule]]
action = "drop"
recipient = "lost@icloud.lab.example"
"""
Checked = dict[str, dict[str, Any]]
Check = Callable[..., Checked]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(load_scenario(FAULTS, name="faults"), clock=SystemClock(), seed=1) as opened:
        yield opened


@pytest.fixture
def check(config: str, tmp_path: Path, lab: Lab) -> Iterator[Check]:
    """Import seeds of the lab, check them, and return what is said of each."""
    with relaying(lab) as relay:
        server = relay.endpoint
        setting(config, "sending", f'host = "{server.host}"')
        setting(config, "sending", f"port = {server.port}")
        setting(config, "sending", 'security = "plain"')

        def checked(*addresses: str, more: tuple[str, ...] = ()) -> Checked:
            lines = ["address,provider,password,host,port,security"]
            for address in addresses:
                lab.add_mailbox(address, PASSWORD)
                provider = next(
                    p for p in lab.providers.values() if address.endswith("@" + p.domain)
                )
                imap = provider.imap
                lines.append(f"{address},{provider.id},{PASSWORD},{imap.host},{imap.port},plain")
            (tmp_path / "seeds.csv").write_text("\n".join(lines), "utf-8")
            run("seeds", "import", str(tmp_path / "seeds.csv"), "--config", config)
            shown = run("seeds", "check", "--config", config, "--json", *more)
            told = json.loads(shown.stdout)
            assert shown.exit_code == (0 if all(one["ok"] for one in told) else 1)
            assert shown.stderr.count("\n") >= len(told)  # progress
            return {one["address"]: one for one in told}

        yield checked


def test_each_seed_is_sent_one_message_which_is_found(check: Check, lab: Lab) -> None:
    found = check("a@gmail.lab.example", "junk@outlook.lab.example")
    mail = {address: one["mail"] for address, one in found.items()}
    good, junk = mail["a@gmail.lab.example"], mail["junk@outlook.lab.example"]
    assert (good["folder"], good["role"], good["match"]) == ("INBOX", "inbox", "message_id")
    assert junk["role"] == "spam"
    assert 0 <= good["found_after_s"] < 60
    assert (good["via"], good["outcome"]) == ("sending", "accepted")
    assert found["a@gmail.lab.example"]["says"].startswith("found after ")
    assert lab.flags("a@gmail.lab.example", "INBOX") == [set()]  # left as it came
    assert {address for address, _ in lab.places(good["message_id"])} == {"a@gmail.lab.example"}
    folders = {f["role"]: f for f in found["a@gmail.lab.example"]["folders"] if f["role"]}
    assert folders["inbox"]["why"] == "it is the inbox"
    assert "\\Junk" in folders["spam"]["why"]
    assert found["a@gmail.lab.example"]["warnings"] == []


def test_every_failure_is_told_with_its_kind_and_remedy_and_stops_no_other(
    check: Check, config: str
) -> None:
    shut, lost = "shut@gmx.lab.example", "lost@icloud.lab.example"
    none, full = "refused@yahoo.lab.example", "full@yahoo.lab.example"
    found = check("c@gmail.lab.example", shut, none, full, lost, more=("--wait", "1"))
    told = {address: one["trouble"] for address, one in found.items()}
    assert told == {
        "c@gmail.lab.example": None,
        shut: "sign_in",
        none: "rejected",
        full: "full",
        lost: "not_found",
    }
    assert "Switch on IMAP" in found[shut]["remedy"]
    assert "no such user" in found[none]["problem"]
    assert "was in no folder within 1 s" in found[lost]["problem"]
    assert all(one["remedy"] for one in found.values() if not one["ok"])
    # What reading showed is kept as the seeds' health; that mail went astray is none of it.
    shown = run("seeds", "health", "--config", config)
    assert shown.exit_code == 1
    assert "1 of 5 seeds cannot be read." in shown.output
    assert "FAILS since " in shown.output
    told = json.loads(run("seeds", "health", "--config", config, "--json").stdout)
    assert [one["address"] for one in told if one["failing"]] == [shut]


def test_only_the_seeds_that_are_named_are_tried(check: Check, config: str) -> None:
    only = ("--no-mail", "--only", "E@gmx.lab.example")
    found = check("e@gmx.lab.example", "f@gmx.lab.example", more=only)
    assert list(found) == ["e@gmx.lab.example"]
    assert found["e@gmx.lab.example"]["says"] == "can be read"
    assert found["e@gmx.lab.example"]["mail"] is None
    shown = run("seeds", "check", "--config", config, "--only", "x@gmx.lab.example")
    assert refused(shown, "--only", "is not in this list")
    shown = run("seeds", "check", "--config", config, *only)
    assert shown.exit_code == 0
    assert "Folders of e@gmx.lab.example:" in shown.stdout
    assert "because" in shown.stdout


def test_the_message_says_what_it_is() -> None:
    assert "Seedwatch" in SUBJECT


FACTS_OF_OWN = """
name = "Own"
login_remedy = "Ask."
[imap]
host = "127.0.0.1"
port = {imap}
security = "plain"
[smtp]
host = "127.0.0.1"
port = {smtp}
security = "plain"
[folders]
"""


def test_a_seed_sends_to_itself_through_its_own_provider_where_that_is_known(
    lab: Lab, config: str, tmp_path: Path
) -> None:
    signed_in: list[tuple[bytes, bytes]] = []

    def authenticate(*told: Any) -> AuthResult:
        signed_in.append((told[-1].login, told[-1].password))
        return AuthResult(success=True)

    address = "own@corporate.lab.example"
    lab.add_mailbox(address, PASSWORD)
    with relaying(lab, authenticate) as relay:
        facts = FACTS_OF_OWN.format(
            imap=lab.providers["corporate"].imap.port, smtp=relay.endpoint.port
        )
        (tmp_path / "facts" / "providers").mkdir(parents=True)
        (tmp_path / "facts" / "providers" / "own.toml").write_text(facts, "utf-8")
        setting(config, "data", f'seedlists_dir = "{tmp_path / "facts"}"')
        (tmp_path / "s.csv").write_text(f"address,provider,password\n{address},own,{PASSWORD}\n")
        assert run("seeds", "import", str(tmp_path / "s.csv"), "--config", config).exit_code == 0
        shown = run("seeds", "check", "--config", config, "--json")
    (told,) = json.loads(shown.stdout)
    assert (told["problem"], told["mail"]["via"]) == (None, "own")
    assert signed_in == [(address.encode(), PASSWORD.encode())]


FACTS = load_facts(None)
GMAIL = Account("a@gmail.com", "gmail", Endpoint("imap.gmail.com", 993), "a", "pw")
OUTLOOK = Account("a@outlook.com", "outlook", Endpoint("x.example", 993), "a", "pw")
GRANTED = Account("a@outlook.com", "outlook", Endpoint("x.example", 993), "a", oauth="app")


def caused(error: SeedwatchError, cause: Exception) -> SeedwatchError:
    with suppress(SeedwatchError):
        raise error from cause
    return error


CERTIFICATE = ssl.SSLCertVerificationError("wrong host")
TROUBLES = [
    (caused(MailboxBusyError("no connection"), socket.gaierror(-2, "x")), GMAIL, Trouble.DNS),
    (caused(MailboxBusyError("no connection"), TimeoutError()), GMAIL, Trouble.CONNECTION),
    (caused(MailboxLockedError("not valid"), CERTIFICATE), GMAIL, Trouble.CERTIFICATE),
    (caused(MailboxBusyError("no TLS with x:1"), OSError()), GMAIL, Trouble.TLS),
    (MailboxLockedError("sign-in refused (no)"), GMAIL, Trouble.SIGN_IN),
    (MailboxLockedError("sign-in refused (no)"), OUTLOOK, Trouble.NEEDS_OAUTH),
    (MailboxLockedError("refused (BasicAuthBlocked)"), GMAIL, Trouble.NEEDS_OAUTH),
    (MailboxLockedError("the grant was withdrawn"), GRANTED, Trouble.GRANT),
    (MailboxBusyError("no sign-in ([LIMIT] Too many connections)"), GMAIL, Trouble.THROTTLED),
    (MailboxBusyError("later", retry_after=timedelta(minutes=1)), GMAIL, Trouble.THROTTLED),
    (MailboxBusyError("not now ([OVERQUOTA] mailbox full)"), GMAIL, Trouble.FULL),
    (MailboxBusyError("its inbox does not open (no)"), GMAIL, Trouble.NO_INBOX),
    (MailboxBusyError("the server did not answer"), GMAIL, Trouble.BUSY),
    (NotFoundError("no IMAP server is known"), None, Trouble.CONFIGURATION),
]


@pytest.mark.parametrize(("error", "account", "trouble"), TROUBLES)
def test_troubles_are_told_apart(
    error: SeedwatchError, account: Account | None, trouble: Trouble
) -> None:
    facts = FACTS[account.provider] if account else ProviderFacts("x", "X", (), None, {})
    problem = problem_of(error, account, facts)
    assert problem.trouble is trouble
    assert problem.says == error.what
    assert problem.remedy
    assert "ADDRESS" not in problem.remedy or account is None


@pytest.mark.parametrize("provider", FACTS)
def test_a_refused_sign_in_is_told_with_the_providers_remedy_and_page(provider: str) -> None:
    account = Account("a@mail.example", provider, Endpoint("x.example", 993), "a", "pw")
    problem = problem_of(MailboxLockedError("sign-in refused"), account, FACTS[provider])
    assert "https://" in problem.remedy
    assert len(problem.remedy) <= 500  # all of it is kept with the seed's health
    is_microsoft = provider in {"outlook", "microsoft365"}
    assert (problem.trouble is Trouble.NEEDS_OAUTH) == is_microsoft


@pytest.mark.parametrize(
    ("outcome", "reply", "trouble"),
    [
        (Outcome.ACCEPTED, None, None),
        (Outcome.UNCERTAIN, None, None),
        (Outcome.REJECTED, SmtpReply(550, "5.7.1", "go away"), Trouble.REJECTED),
        (Outcome.REJECTED, SmtpReply(552, "5.2.2", "sorry"), Trouble.FULL),
        (Outcome.DEFERRED, SmtpReply(452, "", "Mailbox full"), Trouble.FULL),
        (Outcome.DEFERRED, SmtpReply(451, "4.7.1", "greylisted"), Trouble.NOT_SENT),
        (Outcome.FAILED, None, Trouble.NOT_SENT),
    ],
)
def test_what_servers_say_to_the_message_is_told_apart(
    outcome: Outcome, reply: SmtpReply | None, trouble: Trouble | None
) -> None:
    done = Handover("<1@a.example>", outcome, reply, "" if reply else "no connection")
    problem = problem_of_handover(done, GMAIL, load_replies())
    assert (problem.trouble if problem else None) is trouble


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (SmtpReply(550, "5.1.1", "no such user"), ("No such mailbox.", "Check the seed's address")),
        (SmtpReply(550, "5.7.26", "unauthenticated"), ("[alerts] from_address", "https://")),
        (SmtpReply(550, "", "no"), ("from_address may not be allowed",)),
    ],
)
def test_a_rejection_is_explained_in_plain_words(reply: SmtpReply, words: tuple[str, ...]) -> None:
    done = Handover("<1@a.example>", Outcome.REJECTED, reply)
    problem = problem_of_handover(done, GMAIL, load_replies())
    assert problem is not None
    assert [word for word in words if word not in problem.remedy] == []
