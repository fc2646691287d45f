"""The bundled story, hour by hour, on a driven clock."""

from datetime import timedelta

import requests

from monitor.core.clock import ManualClock
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario
from tests.lab.letters import PASSWORD, letter, post

M365 = "seed@m365.lab.example"
LINK = "https://lnk.example.net/offer"


def hours(clock: ManualClock, lab: Lab, *, link: str, sender: str) -> dict[int, list[str]]:
    """Send a letter to Microsoft 365 every second hour; say where each lies a day later."""
    for number in range(0, 26, 2):
        assert post(lab, M365, letter(number, link=link, sender=sender), sender=sender) == "250"
        clock.sleep(timedelta(hours=2))
    return {
        number: [folder for _, folder in lab.places(f"<{number}@brand.example.com>")]
        for number in range(0, 26, 2)
    }


def test_mail_with_the_link_is_lost_from_the_onset_to_the_end(clock: ManualClock) -> None:
    with Lab(Scenario.bundled("mo255463"), clock=clock, seed=1) as lab:
        lab.add_mailbox(M365, PASSWORD)
        found = hours(clock, lab, link=LINK, sender="news@brand.example.com")

    gone = [number for number, places in found.items() if not places]
    assert gone == [8, 10, 12, 14, 16, 18, 20]  # the one sent at 8h was removed afterwards
    assert {tuple(places) for n, places in found.items() if n not in gone} == {("INBOX",)}


def test_mail_without_the_link_is_not_touched(clock: ManualClock) -> None:
    with Lab(Scenario.bundled("mo255463"), clock=clock, seed=1) as lab:
        lab.add_mailbox(M365, PASSWORD)
        found = hours(clock, lab, link="https://ok.example.com/", sender="news@brand.example.com")

    assert set(map(tuple, found.values())) == {("INBOX",)}


def test_one_sender_has_a_problem_of_its_own_everywhere(clock: ManualClock) -> None:
    sender = "news@northwind.example.org"
    with Lab(Scenario.bundled("mo255463"), clock=clock, seed=1) as lab:
        addresses = [f"seed@{p.domain}" for p in lab.providers.values() if p.id != "gmx"]
        for address in addresses:
            lab.add_mailbox(address, PASSWORD)
            post(lab, address, letter(1, sender=sender), sender=sender)
        clock.sleep(timedelta(hours=6))
        for address in addresses:
            post(lab, address, letter(2, sender=sender), sender=sender)

        before = {folder for a, folder in lab.places("<1@brand.example.com>") if "yahoo" not in a}
        after = {folder for _, folder in lab.places("<2@brand.example.com>")}

    assert before <= {"INBOX", "[Gmail]/All Mail"}
    assert after == {"[Gmail]/Spam", "Junk", "Junk Email", "Bulk"}


def test_mail_delivered_before_the_onset_is_removed_within_an_hour(clock: ManualClock) -> None:
    with Lab(Scenario.bundled("mo255463"), clock=clock, seed=1) as lab:
        lab.add_mailbox(M365, PASSWORD)
        clock.sleep(timedelta(hours=9))
        for number in range(10):
            post(lab, M365, letter(number, link=LINK))
        counts = [len(lab.flags(M365, "INBOX"))]
        for minutes in (59, 1 + 30, 30):
            clock.sleep(timedelta(minutes=minutes))
            counts.append(len(lab.flags(M365, "INBOX")))

    assert counts[:2] == [10, 10]
    assert 0 < counts[2] < 10
    assert counts[3] == 0


def admitted(lab: Lab, web: requests.Session) -> list[bool]:
    """Whether each advisory that the tenant shows now is resolved."""
    form = {
        "grant_type": "client_credentials",
        "client_id": lab.graph_client_id,
        "client_secret": lab.graph_client_secret,
        "scope": f"{lab.api_url}/.default",
    }
    url = f"{lab.api_url}/{lab.graph_tenant}/oauth2/v2.0/token"
    token = web.post(url, data=form, timeout=5).json()["access_token"]
    issues = web.get(
        f"{lab.api_url}/v1.0/admin/serviceAnnouncement/issues",
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    return [issue["isResolved"] for issue in issues.json()["value"] if issue["id"] == "MO255463"]


def test_the_link_is_blocked_while_it_lasts_and_admitted_nine_hours_late(
    clock: ManualClock,
) -> None:
    start, seen = clock.now(), []
    with Lab(Scenario.bundled("mo255463"), clock=clock, seed=1) as lab, requests.Session() as web:
        for at in (9, 10, 18, 19, 22):
            clock.set(start + timedelta(hours=at))
            click = web.get(
                f"{lab.api_url}/safelinks", params={"url": LINK}, allow_redirects=False, timeout=5
            )
            seen.append((click.status_code, admitted(lab, web)))

    assert seen == [(302, []), (200, []), (200, []), (200, [False]), (302, [True])]
