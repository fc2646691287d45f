"""Every action of a scenario, once, seen from outside: by SMTP, IMAP and nothing else."""

import imaplib
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from monitor.core.clock import ManualClock
from monitor.lab.lab import Lab
from monitor.lab.rules import Action
from tests.lab.letters import PASSWORD, first_in, letter, post, reading, scenario

CORPORATE = "seed@corporate.lab.example"
GMAIL = "seed@gmail.lab.example"
M365 = "seed@m365.lab.example"
MINUTE = timedelta(minutes=1)
FIRST = "<1@brand.example.com>"


@contextmanager
def lab_with(clock: ManualClock, rules: str) -> Iterator[Lab]:
    """A lab under these rules, with a mailbox at three providers."""
    with Lab(scenario(rules), clock=clock, seed=1) as lab:
        for address in (CORPORATE, GMAIL, M365):
            lab.add_mailbox(address, PASSWORD)
        yield lab


def rule(action: Action, more: str = "") -> str:
    return f'[[rule]]\naction = "{action}"\n{more}\n'


def test_spam_goes_to_the_provider_s_own_spam_folder(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.SPAM)) as lab:
        for address in (CORPORATE, GMAIL, M365):
            post(lab, address, letter())

        assert set(lab.places(FIRST)) == {
            (CORPORATE, "Junk"),
            (GMAIL, "[Gmail]/Spam"),
            (M365, "Junk Email"),
        }


def test_quarantine_is_a_folder_here_the_spam_folder_there_and_out_of_sight_elsewhere(
    clock: ManualClock,
) -> None:
    with lab_with(clock, rule(Action.QUARANTINE)) as lab:
        for address in (CORPORATE, GMAIL, M365):
            assert post(lab, address, letter()) == "250"

        assert lab.places(FIRST) == [(CORPORATE, "Quarantine"), (GMAIL, "[Gmail]/Spam")]


def test_dropped_mail_is_accepted_and_never_seen(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.DROP)) as lab:
        assert post(lab, CORPORATE, letter()) == "250"
        assert lab.places(FIRST) == []


def test_a_trusted_sender_s_mail_says_that_no_filter_placed_it(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.TRUST) + rule(Action.SPAM)) as lab:
        post(lab, M365, letter())
        raw = first_in(lab, M365)

    assert b"SFV:SFE;" in raw
    assert b"OFR:TrustedSenderList;" in raw


def test_a_tab_is_told_by_search_only(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.TAB, 'tab = "promotions"')) as lab:
        post(lab, GMAIL, letter())
        with reading(lab, GMAIL) as client:
            client.select("INBOX", readonly=True)
            found = client.uid("SEARCH", "X-GM-RAW", '"category:promotions"')

    assert found == ("OK", [b"1"])


def test_delayed_mail_arrives_when_it_is_due(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.DELAY, 'delay = "30m"')) as lab:
        post(lab, CORPORATE, letter())
        due = clock.now() + 30 * MINUTE
        assert (lab.places(FIRST), lab.next_event_at()) == ([], due)

        clock.sleep(45 * MINUTE)
        raw = first_in(lab, CORPORATE)

    assert b"; Mon, 02 Mar 2026 08:30:00 +0000\r\n" in raw


def test_zapped_mail_leaves_the_inbox_after_delivery(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.ZAP, 'delay = "10m"')) as lab:
        for address in (CORPORATE, GMAIL, M365):
            post(lab, address, letter())
        before = {address for address, folder in lab.places(FIRST) if folder == "INBOX"}
        clock.sleep(10 * MINUTE)

        assert before == {CORPORATE, GMAIL, M365}
        assert lab.places(FIRST) == [(CORPORATE, "Quarantine"), (GMAIL, "[Gmail]/Spam")]


def test_zap_at_a_time_is_spread_over_the_span_that_follows(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.ZAP, 'at = "1h"\nspread = "1h"')) as lab:
        for number in range(20):
            post(lab, M365, letter(number))
        left = []
        for _ in range(13):
            clock.sleep(10 * MINUTE)
            left.append(len(lab.flags(M365, "INBOX")))

    assert left[:5] == [20] * 5
    assert left[-2:] == [0, 0]
    assert len(set(left)) > 4


def test_zap_of_unread_mail_spares_what_was_read(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.ZAP, 'delay = "10m"\nunread_only = true')) as lab:
        post(lab, CORPORATE, letter(1))
        post(lab, CORPORATE, letter(2))
        with reading(lab, CORPORATE) as client:
            client.select("INBOX")
            client.store("1", "+FLAGS", "\\Seen")
        clock.sleep(10 * MINUTE)

        assert lab.places(FIRST) == [(CORPORATE, "INBOX")]
        assert lab.places("<2@brand.example.com>") == [(CORPORATE, "Quarantine")]


def test_restored_mail_comes_back_with_a_new_date(clock: ManualClock) -> None:
    rules = rule(Action.QUARANTINE) + rule(Action.RESTORE, 'delay = "2h"')
    with lab_with(clock, rules) as lab:
        post(lab, M365, letter())
        clock.sleep(timedelta(hours=2))
        raw = first_in(lab, M365)

    assert b"SFV:SKQ;" in raw
    assert b"; Mon, 02 Mar 2026 10:00:00 +0000\r\n" in raw


def test_duplicated_mail_arrives_twice(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.DUPLICATE)) as lab:
        post(lab, CORPORATE, letter())

        assert lab.places(FIRST) == [(CORPORATE, "INBOX")] * 2


def test_failed_authentication_is_stamped(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.AUTH_FAIL, 'provider = "microsoft365"')) as lab:
        post(lab, M365, letter())
        post(lab, GMAIL, letter())

        assert b"spf=fail" in first_in(lab, M365)
        assert b"compauth=fail reason=000" in first_in(lab, M365)
        assert b"spf=pass" in first_in(lab, GMAIL)


@pytest.mark.parametrize(
    ("action", "more", "answer"),
    [
        (Action.DEFER, "", "451 4.7.1 Try again later"),
        (Action.DEFER, 'text = "421 4.7.0 [TSS04]"', "421 4.7.0 [TSS04]"),
        (Action.REJECT, "", "550 5.7.1 Message refused by policy"),
        (Action.RCPT_REJECT, 'text = "550 5.1.1 No such user"', "550 5.1.1 No such user"),
        (Action.FULL, "", "452 4.2.2 The recipient's inbox is out of storage space"),
        (Action.SMTP_REFUSE, "", "421 4.3.2 Service not available"),
    ],
)
def test_mail_is_refused_in_the_scenario_s_words(
    clock: ManualClock, action: Action, more: str, answer: str
) -> None:
    with lab_with(clock, rule(action, more)) as lab:
        assert post(lab, CORPORATE, letter()) == answer
        assert lab.places(FIRST) == []


def test_greylisting_lets_the_second_attempt_in_once_it_has_waited(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.GREYLIST, 'delay = "2m"')) as lab:
        answers = [post(lab, CORPORATE, letter())]
        clock.sleep(MINUTE)
        answers.append(post(lab, CORPORATE, letter()))
        clock.sleep(MINUTE)
        answers.append(post(lab, CORPORATE, letter()))

    assert answers == ["451 4.7.1 Greylisted, try again later"] * 2 + ["250"]


def test_an_imap_outage_hangs_up_on_everybody(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.IMAP_OUTAGE, 'from = "1h"\nuntil = "2h"')) as lab:
        with reading(lab, CORPORATE) as client:
            clock.sleep(timedelta(hours=1))
            with pytest.raises(imaplib.IMAP4.abort):
                client.noop()
        with pytest.raises(imaplib.IMAP4.abort), reading(lab, CORPORATE):
            pass
        clock.sleep(timedelta(hours=1))
        with reading(lab, CORPORATE) as client:
            assert client.noop()[0] == "OK"


def test_a_busy_mailbox_can_be_entered_but_not_read(clock: ManualClock) -> None:
    with (
        lab_with(clock, rule(Action.IMAP_BUSY, f'recipient = "{CORPORATE}"')) as lab,
        reading(lab, CORPORATE) as client,
        reading(lab, GMAIL) as other,
    ):
        assert client.select("INBOX") == (
            "NO",
            [b"[UNAVAILABLE] Server busy, try again later"],
        )
        assert other.select("INBOX")[0] == "OK"


def test_a_locked_mailbox_refuses_the_right_password(clock: ManualClock) -> None:
    with (
        lab_with(clock, rule(Action.IMAP_LOCK, 'recipient = "seed@corp*"')) as lab,
        pytest.raises(imaplib.IMAP4.error, match=r"\[ALERT\]"),
        reading(lab, CORPORATE),
    ):
        pass


def test_too_many_sessions_are_refused_until_one_ends(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.IMAP_LIMIT, "connections = 1")) as lab:
        with (
            reading(lab, CORPORATE),
            pytest.raises(imaplib.IMAP4.error, match=r"\[LIMIT\]"),
            reading(lab, CORPORATE),
        ):
            pass
        with reading(lab, CORPORATE) as client:
            assert client.noop()[0] == "OK"


def test_a_slow_mailbox_answers_late_by_the_wall_clock(clock: ManualClock) -> None:
    """Whoever waits for it waits in earnest: time-outs of clients are tested so."""
    with (
        lab_with(clock, rule(Action.IMAP_SLOW, 'from = "1h"\nwait = "150ms"')) as lab,
        reading(lab, CORPORATE) as client,
    ):
        clock.sleep(timedelta(hours=1))
        started = time.perf_counter()
        client.noop()
        waited_s = time.perf_counter() - started

    assert waited_s >= 0.15


def test_revalidated_folders_number_their_mail_anew(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.IMAP_REVALIDATE, 'from = "1h"')) as lab:
        for number in (1, 2):
            post(lab, CORPORATE, letter(number))
        with reading(lab, CORPORATE) as client:
            client.select("INBOX")
            before = client.response("UIDVALIDITY")[1][0]
            client.store("1", "+FLAGS", "\\Deleted")
            client.expunge()
            clock.sleep(timedelta(hours=1))
            with pytest.raises(imaplib.IMAP4.abort):
                client.noop()
        with reading(lab, CORPORATE) as client:
            client.select("INBOX")
            after = client.response("UIDVALIDITY")[1][0]
            uids = client.uid("SEARCH", "ALL")[1]

    assert before != after
    assert uids == [b"1"]


def test_rules_hold_for_whom_and_when_they_say(clock: ManualClock) -> None:
    rules = rule(
        Action.SPAM,
        'provider = "corporate"\nfrom = "1h"\nuntil = "2h"\nsender_domain = "example.com"\n'
        'url_domain = "lnk.example.net"',
    )
    hit = "https://a.lnk.example.net/x"
    with lab_with(clock, rules) as lab:
        post(lab, CORPORATE, letter(1, link=hit))  # too early
        clock.sleep(timedelta(hours=1))
        post(lab, CORPORATE, letter(2, link=hit))
        post(lab, CORPORATE, letter(3, link="https://notlnk.example.net/x"))
        post(
            lab, CORPORATE, letter(4, link=hit, sender="x@other.example"), sender="x@other.example"
        )
        post(lab, GMAIL, letter(5, link=hit))
        clock.sleep(timedelta(hours=1))
        post(lab, CORPORATE, letter(6, link=hit))  # too late

        spam = [
            n
            for n in range(1, 7)
            if "Junk" in dict(lab.places(f"<{n}@brand.example.com>")).values()
        ]
        assert spam == [2]


def test_people_who_get_our_alerts_are_not_filtered(clock: ManualClock) -> None:
    rules = rule(Action.REJECT) + rule(Action.GREYLIST) + rule(Action.IMAP_LOCK)
    with lab_with(clock, rules) as lab:
        lab.add_mailbox("owner@inbox.lab.example", PASSWORD)

        assert post(lab, "owner@inbox.lab.example", letter()) == "250"
        assert b"Letter 1" in first_in(lab, "owner@inbox.lab.example")


def test_a_stranger_has_no_mailbox(lab: Lab) -> None:
    assert post(lab, "nobody@gmx.lab.example", letter()).startswith("550 5.1.1")


def test_one_refused_recipient_refuses_the_message_for_all(clock: ManualClock) -> None:
    with lab_with(clock, rule(Action.DEFER, 'recipient = "two@*"')) as lab:
        lab.add_mailbox("two@corporate.lab.example", PASSWORD)
        route = lab.smtp_route("corporate.lab.example")
        with smtplib.SMTP(route.host, route.port) as smtp, pytest.raises(smtplib.SMTPDataError):
            smtp.sendmail("a@b.example", [CORPORATE, "two@corporate.lab.example"], letter())

        assert lab.places(FIRST) == []
