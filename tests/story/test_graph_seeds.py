"""A tenant's seeds read through Graph: quarantine, pulled-back mail, and a log that is late."""

import smtplib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from monitor.core.clock import ManualClock
from monitor.core.placements import Placement, Sighting
from monitor.core.seeds import SeedEntry
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.settings.sections import Tenant
from tests.story.home import Home, settings_at
from tests.story.relay import relaying

SEED = "seed@m365.lab.example"
SENDER = "news.example.org"
QUARANTINE = '[[rule]]\naction = "quarantine"\nprovider = "microsoft365"\n'
ZAP = '[[rule]]\naction = "zap"\nprovider = "microsoft365"\ndelay = "40m"\n'
LATE = '[[rule]]\naction = "api_late"\nuntil = "220m"\ndelay = "90m"\n'


def send_before(lab: Lab, clock: ManualClock) -> None:
    """Let the tenant have got some other mail two hours ago."""
    route = lab.smtp_route("m365.lab.example")
    with smtplib.SMTP(route.host, route.port) as smtp:
        smtp.sendmail("a@b.example", SEED, b"Message-ID: <0@b.example>\r\n\r\nhello\r\n")
    clock.sleep(timedelta(hours=2))


def looks_at(rules: str, tmp_path: Path, clock: ManualClock) -> Sequence[Sighting]:
    """Send one copy to a seed that is read through Graph, and live for eight hours."""
    with Lab(load_scenario(rules, name="test"), clock=clock, seed=1) as lab, relaying(lab) as relay:
        lab.add_mailbox(SEED, "pw")
        tenant = Tenant(
            tenant=lab.graph_tenant,
            client_id=lab.graph_client_id,
            client_secret=SecretStr(lab.graph_client_secret),
            base_url=lab.api_url,
            login_url=lab.api_url,
        )
        send_before(lab, clock)
        settings = settings_at(tmp_path, relay.endpoint)
        home = Home(settings.model_copy(update={"tenants": {"acme": tenant}}), clock)
        try:
            home.bring_in([SeedEntry(SEED, "microsoft365", reader="graph", tenant="acme")], SENDER)
            home.send_test(SENDER)
            home.live(timedelta(hours=8, minutes=5))
            return home.looks()[SEED]
        finally:
            home.close()


def test_mail_that_is_pulled_back_is_seen_to_go(tmp_path: Path, clock: ManualClock) -> None:
    looks = looks_at(ZAP, tmp_path, clock)

    assert [look.placement for look in looks] == [Placement.INBOX] * 4 + [Placement.REMOVED] * 4
    assert looks[-1].reason.startswith("Phish ZAP at 2026-")


def test_a_log_that_is_late_never_makes_mail_missing(tmp_path: Path, clock: ManualClock) -> None:
    looks = looks_at(QUARANTINE + LATE, tmp_path, clock)

    early, later = looks[:5], looks[5:]
    assert {look.placement for look in early} == {Placement.UNKNOWN}
    assert {look.reason for look in early} == {
        "Microsoft's log of mail is late: its newest entry is of 2026-03-02 08:00 UTC."
    }
    assert {look.placement for look in later} == {Placement.QUARANTINE}
