"""What each provider writes on top of a message, and that nobody else can write there."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evidence.facts import facts
from monitor.lab.filters import Place
from monitor.lab.providers import PROFILES
from monitor.lab.stamps import Receipt, stamp

RECEIPT = Receipt(
    recipient="seed@x.lab.example",
    mail_from="bounce@esp.example.com",
    from_domain="brand.example.com",
    helo="mta.esp.example.com",
    peer="192.0.2.10",
    at=datetime(2026, 3, 2, 8, 0, tzinfo=UTC),
    place=Place.INBOX,
)
SPAM = replace(RECEIPT, place=Place.SPAM)


def lines(provider: str, receipt: Receipt) -> list[str]:
    return stamp(PROFILES[provider], receipt).decode().split("\r\n")


@pytest.mark.parametrize(
    ("provider", "clean", "spam"),
    [
        ("outlook", "X-MS-Exchange-Organization-SCL: 1", "X-MS-Exchange-Organization-SCL: 5"),
        ("gmx", "X-Spam-Flag: NO", "X-Spam-Flag: YES"),
        (
            "gmx",
            "X-UI-Filterresults: notjunk:1;V03:K0:bGFi;",
            "X-UI-Filterresults: junk:10;V03:K0:bGFi;",
        ),
        ("corporate", "X-Spam-Flag: NO", "X-Spam-Flag: YES"),
        ("yahoo", "X-YMailISG: d2VpZ2h0cyBvZiBhIGZpbHRlcg--", "X-YahooFilteredBulk: 192.0.2.10"),
    ],
)
def test_a_verdict_is_written_in_the_provider_s_way(provider: str, clean: str, spam: str) -> None:
    assert clean in lines(provider, RECEIPT)
    assert spam not in lines(provider, RECEIPT)
    assert spam in lines(provider, SPAM)


def test_microsoft_365_reports_score_verdict_and_category() -> None:
    def report(receipt: Receipt) -> str:
        (found,) = [v for v in lines("microsoft365", receipt) if v.startswith("X-Forefront")]
        return found

    assert "SCL:1;SRV:;IPV:NLI;SFV:NSPM;" in report(RECEIPT)
    assert "SCL:5;SRV:;IPV:NLI;SFV:SPM;" in report(SPAM)
    assert "SCL:9;" in report(replace(RECEIPT, place=Place.QUARANTINE))
    assert "CAT:HPHISH;" in report(replace(RECEIPT, place=Place.QUARANTINE))
    assert "SCL:-1;SRV:;IPV:NLI;SFV:SKQ;" in report(replace(RECEIPT, released=True))


def test_only_microsoft_365_writes_the_forefront_report() -> None:
    writers = [p for p in PROFILES if any(v.startswith("X-Forefront") for v in lines(p, RECEIPT))]

    assert writers == ["microsoft365"]


@pytest.mark.parametrize("provider", list(PROFILES))
@pytest.mark.parametrize("result", ["pass", "fail"])
def test_our_own_reader_finds_the_authentication_results(provider: str, result: str) -> None:
    """GMX tells of DKIM only."""
    receipt = replace(RECEIPT, authenticated=result == "pass")
    read = facts(stamp(PROFILES[provider], receipt), provider)["authentication"]

    known = {"dkim"} if provider == "gmx" else {"spf", "dkim", "dmarc"}
    assert {name: read[name] for name in known} == dict.fromkeys(known, result)


@pytest.mark.parametrize("provider", list(PROFILES))
def test_the_receiving_host_stands_in_received_with_its_time(provider: str) -> None:
    (received,) = [v for v in lines(provider, RECEIPT) if v.startswith("Received:")]

    assert f"by {PROFILES[provider].host} " in received
    assert received.endswith("for <seed@x.lab.example>; Mon, 02 Mar 2026 08:00:00 +0000")


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(list(PROFILES)))
def test_no_client_can_write_a_header_of_the_provider(
    helo: str, sender: str, provider: str
) -> None:
    """Whatever HELO and sender hold, the number of lines stays the same."""
    forged = replace(RECEIPT, helo=helo + "\r\nX-Spam-Flag: NO", mail_from=sender + "\n\nbody")

    assert len(lines(provider, forged)) == len(lines(provider, RECEIPT))
    assert b"\n\n" not in stamp(PROFILES[provider], forged).replace(b"\r\n", b"")
