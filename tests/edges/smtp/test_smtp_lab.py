"""Out by SMTP into each simulated provider, back by IMAP: what its headers then tell."""

import imaplib
from typing import Any

import pytest

from monitor.alerts.email import EmailAlerter
from monitor.core.campaigns import Campaign, Match, Outcome, Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import PersonNeededError
from monitor.core.ports import Alert, Message
from monitor.evidence import stamp
from monitor.evidence.compose import compose
from monitor.evidence.facts import facts
from monitor.evidence.links import links
from monitor.evidence.recognise import recognise
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.senders.smtp import SmtpTransport

PROVIDERS = [
    *("gmail", "google_workspace", "outlook", "microsoft365", "yahoo", "icloud", "gmx", "corporate")
]
TOKEN = "qwrt5zu4kpmnb2vcx3ya"
PASSWORD = "lab"
ALL_SPAM = """
name = "all spam"
[[rule]]
name = "everything is spam"
action = "spam"
"""


def transport(lab: Lab) -> SmtpTransport:
    return SmtpTransport(
        lambda recipient: lab.smtp_route(recipient.rpartition("@")[2]),
        hostname="monitor.example",
        timeout_s=10,
    )


def hand_over(lab: Lab, clock: ManualClock, from_domain: str) -> dict[str, str]:
    """Send one copy to a seed at each provider; return the Message-IDs by provider."""
    campaign = Campaign(
        name="news",
        from_address=f"hello@{from_domain}",
        from_name="Zoë",
        subject="Grüße im März",
        text="See https://lnk.example.net/a",
        html='<a href="https://lnk.example.net/a">See</a>',
    )
    ids = {p: stamp.message_id(TOKEN, n, from_domain) for n, p in enumerate(PROVIDERS)}
    letters = []
    for provider, message_id in ids.items():
        address = f"seed@{lab.providers[provider].domain}"
        lab.add_mailbox(address, PASSWORD)
        letter = compose(
            campaign,
            recipient=address,
            message_id=message_id,
            token=TOKEN,
            mail_from=f"bounces@{from_domain}",
            date=clock.now(),
        )
        letters.append(letter)
    outcomes = [handover.outcome for handover in transport(lab).send(letters)]
    assert outcomes == [Outcome.ACCEPTED] * len(PROVIDERS)
    return ids


def fetch(lab: Lab, provider: str, message_id: str) -> bytes:
    """Read one copy as any mail program would, wherever it lies."""
    place = lab.providers[provider]
    [(address, folder)] = lab.places(message_id)[:1]
    with imaplib.IMAP4(place.imap.host, place.imap.port, timeout=10) as client:
        client.login(address, PASSWORD)
        client.select(f'"{folder}"', readonly=True)
        _, data = client.fetch("1", "(BODY.PEEK[])")
        [first, *_] = data
        assert isinstance(first, tuple)
        return first[1]


def judged(found: dict[str, Any]) -> list[str]:
    return [verdict["judged"] for verdict in found["filters"]]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_copy_that_arrived_tells_that_all_was_well(
    lab: Lab, clock: ManualClock, provider: str
) -> None:
    message_id = hand_over(lab, clock, "shop.example.com")[provider]
    raw = fetch(lab, provider, message_id)
    found = facts(raw, provider)

    assert found["receiver"] == provider
    assert found["authentication"]["dkim"] == "pass"
    assert set(judged(found)) <= {"clean"}
    assert found["contaminated"] is False
    assert found["unknown"] == []
    assert found["hops"][0]["from"] == "monitor.example"
    assert found["transit_s"] == 0.0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_receiver_is_told_without_being_named(
    lab: Lab, clock: ManualClock, provider: str
) -> None:
    """Google's hosts look alike for persons and companies; the recipient's domain decides."""
    message_id = hand_over(lab, clock, "shop.example.com")[provider]
    told = facts(fetch(lab, provider, message_id), "")["receiver"]

    expected = {"gmail": "google_workspace", "corporate": None}
    assert told == expected.get(provider, provider)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_copy_that_arrived_is_known_again(lab: Lab, clock: ManualClock, provider: str) -> None:
    message_id = hand_over(lab, clock, "shop.example.com")[provider]
    raw = fetch(lab, provider, message_id)
    wanted = Wanted(message_id, TOKEN, clock.now())

    found = recognise(raw, None, [wanted])
    without_id = raw.replace(message_id.encode(), b"<other@esp.example>")
    weaker = recognise(without_id, None, [wanted])

    assert found is not None
    assert found.match is Match.MESSAGE_ID
    assert weaker is not None
    assert weaker.match is Match.HEADER
    assert links(raw, 10) == ["https://lnk.example.net/a"]


def test_filters_that_mark_what_they_file_as_spam_are_understood(clock: ManualClock) -> None:
    with Lab(load_scenario(ALL_SPAM, name="all spam"), clock=clock, seed=1) as lab:
        ids = hand_over(lab, clock, "northwind.example.org")
        verdicts = {p: judged(facts(fetch(lab, p, i), p)) for p, i in ids.items()}

    assert verdicts == {
        "gmail": [],
        "google_workspace": [],
        "outlook": ["spam"],
        "microsoft365": ["spam"],
        "yahoo": ["spam"],
        "icloud": [],
        "gmx": ["spam"],
        "corporate": ["spam"],
    }


def test_an_alert_is_found_in_its_recipients_mailbox(lab: Lab, clock: ManualClock) -> None:
    lab.add_mailbox("ops@inbox.lab.example", PASSWORD)
    alert = Alert(
        id="m365-1:confirmed:1",
        to="ops@inbox.lab.example",
        message=Message(
            "Microsoft 365, not you: mail is quarantined",
            "It is Microsoft 365, not you.",
            "<p>It is Microsoft 365, not you.</p>",
        ),
        message_id="<alert.1.1@watch.example>",
    )
    EmailAlerter(transport(lab), "alerts@watch.example", clock).tell(alert)

    assert lab.places(alert.message_id) == [("ops@inbox.lab.example", "INBOX")]


def test_an_alert_to_nobody_needs_a_person(lab: Lab, clock: ManualClock) -> None:
    alert = Alert(
        "1", "nobody@inbox.lab.example", Message("s", "t", "<p>t</p>"), "<a@watch.example>"
    )

    with pytest.raises(PersonNeededError):
        EmailAlerter(transport(lab), "alerts@watch.example", clock).tell(alert)
