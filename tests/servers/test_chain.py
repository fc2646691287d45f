"""Postfix, Rspamd and Dovecot as Debian has them: a campaign's whole way, and each refusal."""

import imaplib
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.core.campaigns import Campaign, Found, Handover, Letter, Outcome, Role, Wanted
from monitor.core.clock import SystemClock
from monitor.evidence import dsn, stamp
from monitor.evidence.compose import compose
from monitor.evidence.facts import facts
from tests.servers.chain import Chain, chain
from tests.servers.delivery import FULL, GONE, PASSWORD
from tests.servers.postfix import DOMAIN, GREY
from tests.servers.rspamd import SPAM_LINK

pytestmark = pytest.mark.real

ACCEPTED, DEFERRED, REJECTED = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REJECTED
TOKEN = "qwrt5zu4kpmnb2vcx3ya"
SENDER = f"bounces@{DOMAIN}"  # at home here, so that reports of refusals can be read
WAIT_S = 20.0
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def mail() -> Iterator[Chain]:
    with chain(["ann", "bea", "bounces"]) as running:
        yield running


def letter(number: int, to: str, text: str = "The news of March.") -> Letter:
    campaign = Campaign(
        name="news",
        from_address="hello@shop.example.com",
        from_name="Zoë",
        subject="Grüße im März",
        text=text,
    )
    return compose(
        campaign,
        recipient=to if "@" in to else f"{to}@{DOMAIN}",
        message_id=stamp.message_id(TOKEN, number, "shop.example.com"),
        token=TOKEN,
        mail_from=SENDER,
        date=CLOCK.now(),
    )


def hand_over(mail: Chain, *letters: Letter) -> list[Handover]:
    return list(mail.transport().send(letters))


def find(mail: Chain, user: str, wanted: Letter) -> Found:
    """Look until the copy is there; a delivery takes some milliseconds."""
    mailbox = mail.mailbox(user)
    deadline = time.monotonic() + WAIT_S
    try:
        while time.monotonic() < deadline:
            # By its Message-ID only: other copies of the test bear the same token.
            found = mailbox.look([Wanted(wanted.message_id, "none", CLOCK.now())])
            if found:
                return found[0]
    finally:
        mailbox.close()
    log = (mail.folder / "p" / "log" / "postfix.log").read_text()
    raise AssertionError(f"{wanted.message_id} did not arrive:\n{log[-3000:]}")


def fetch(imap: imaplib.IMAP4, item: str) -> list[bytes]:
    """Return one item of each message in the selected folder."""
    if imap.search(None, "ALL")[1] == [b""]:
        return []
    return [part[1] for part in imap.fetch("1:*", item)[1] if isinstance(part, tuple)]


def report_about(mail: Chain, refused: Letter) -> dsn.Report:
    """Wait for the delivery report in the sender's mailbox."""
    deadline = time.monotonic() + WAIT_S
    with imaplib.IMAP4(mail.imap.host, mail.imap.port, timeout=10) as imap:
        imap.login("bounces", PASSWORD)
        while time.monotonic() < deadline:
            imap.select("INBOX", readonly=True)
            for raw in fetch(imap, "(BODY.PEEK[])"):
                report = dsn.read(raw)
                if report and report.original_message_id == refused.message_id:
                    return report
    raise AssertionError(f"no report about {refused.message_id}")


def rspamd_of(found: Found) -> dict[str, Any]:
    told = facts(found.headers, "corporate")
    [verdict] = [one for one in told["filters"] if one["name"] == "rspamd"]
    return dict(verdict)


def test_a_campaign_that_the_filter_likes_lands_in_the_inbox(mail: Chain) -> None:
    copy = letter(1, "ann")

    [handover] = hand_over(mail, copy)

    assert handover.outcome is ACCEPTED
    assert handover.reply is not None
    assert "queued as" in handover.reply.text
    found = find(mail, "ann", copy)
    assert (found.folder, found.role) == ("INBOX", Role.INBOX)
    verdict = rspamd_of(found)
    assert verdict["judged"] == "clean"
    assert facts(found.headers, "corporate")["hops"][0]["from"] == "monitor.example"


def test_a_campaign_with_a_link_of_ill_repute_lands_in_junk_and_the_symbol_is_read(
    mail: Chain,
) -> None:
    copy = letter(2, "ann", f"See http://{SPAM_LINK}/offer")

    [handover] = hand_over(mail, copy)

    assert handover.outcome is ACCEPTED
    found = find(mail, "ann", copy)
    assert (found.folder, found.role) == ("Junk", Role.SPAM)
    verdict = rspamd_of(found)
    assert verdict["judged"] == "spam"
    assert "SEEDWATCH_BAD_LINK" in str(verdict)


@pytest.mark.parametrize(
    ("to", "text", "outcome", "reply", "words"),
    [
        ("nobody", "x", REJECTED, "550 5.1.1", "User unknown"),
        ("seed@elsewhere.example", "x", REJECTED, "554 5.7.1", "Relay access denied"),
        (GREY, "x", DEFERRED, "450 4.2.0", "Greylisted"),
        ("ann", "x" * 78 + "\n" + ("y" * 78 + "\n") * 13_000, REJECTED, "552 5.3.4", "size"),
        ("ann", GTUBE, REJECTED, "554 5.7.1", "Gtube pattern"),
    ],
    ids=["unknown user", "foreign domain", "greylisted", "too long", "refused by the filter"],
)
def test_what_postfix_refuses_with_is_kept(
    mail: Chain, to: str, text: str, outcome: Outcome, reply: str, words: str
) -> None:
    refused, after = hand_over(mail, letter(3, to, text), letter(4, "bea"))

    assert refused.outcome is outcome
    assert str(refused.reply).startswith(reply)
    assert words in str(refused.reply)
    assert after.outcome is ACCEPTED, "on the same connection"


@pytest.mark.parametrize(
    ("user", "status", "words"),
    [(FULL, "5.2.2", "Quota exceeded"), (GONE, "5.1.1", "User doesn't exist")],
)
def test_what_is_refused_after_it_was_accepted_comes_back_as_a_report(
    mail: Chain, user: str, status: str, words: str
) -> None:
    copy = letter(5 if user == FULL else 6, user)

    [handover] = hand_over(mail, copy)

    assert handover.outcome is ACCEPTED
    report = report_about(mail, copy)
    [recipient] = report.recipients
    assert (recipient.address, recipient.action) == (f"{user}@{DOMAIN}", "failed")
    assert recipient.status == status
    assert words in (recipient.diagnostic or "")


def test_many_at_once_arrive_once_each_whatever_is_refused_between_them(mail: Chain) -> None:
    """Postfix offers CHUNKING: whole messages follow each other, refused ones among them."""
    letters = [letter(n, {3: "nobody", 4: GREY}.get(n % 10, "bea")) for n in range(100, 180)]
    transport = mail.transport(is_filtered=False).at_once(window=40, connections=2)

    handovers = list(transport.send_many(letters, window=40))

    expected = {3: REJECTED, 4: DEFERRED}
    assert [h.outcome for h in handovers] == [expected.get(n % 10, ACCEPTED) for n in range(80)]
    accepted = [one for one, h in zip(letters, handovers, strict=True) if h.outcome is ACCEPTED]
    arrived = Counter(ids_in(mail, "bea", {one.message_id for one in accepted}))
    assert {arrived[one.message_id] for one in letters} == {0, 1}
    assert sum(arrived[one.message_id] for one in letters) == len(accepted)


def ids_in(mail: Chain, user: str, wanted: set[str]) -> list[str]:
    """The Message-IDs in the inbox, once all *wanted* are there."""
    deadline = time.monotonic() + WAIT_S
    found: list[str] = []
    with imaplib.IMAP4(mail.imap.host, mail.imap.port, timeout=10) as imap:
        imap.login(user, PASSWORD)
        while time.monotonic() < deadline and not wanted <= set(found):
            imap.select("INBOX", readonly=True)
            headers = fetch(imap, "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            found = [header.decode().partition(":")[2].strip() for header in headers]
    return found
