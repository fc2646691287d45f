"""The demo's stage: the lab, a Seedwatch wired to it, and the cast."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session

from monitor.alerts.email import EmailAlerter
from monitor.core.campaigns import Campaign
from monitor.core.clock import ManualClock
from monitor.core.seedlist import read_seed_list
from monitor.core.seeds import Endpoint, ProviderFacts, SeedEntry
from monitor.demo.cast import CAST, Player
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario
from monitor.lookups.dns import DnsResolver
from monitor.lookups.links import HttpLinkChecker
from monitor.rendering import data_dir, seed_campaign
from monitor.senders.smtp import SmtpTransport
from monitor.settings import Settings, demo_settings
from monitor.store import seeds
from monitor.store.columns import saved
from monitor.store.engine import upgrade
from monitor.store.route_tables import RouteRow
from monitor.store.schedules import Plan, put_schedule
from monitor.store.tables import CampaignRow, OrganisationRow, SenderRow
from monitor.wiring import House, build, edges_from, load_facts

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
EVERY = "every 2h"  # each sender mails so often; the first time after two hours
SEED_LIST = "demo"
INBOX_PASSWORD = "lab"  # noqa: S105 - of mailboxes that live and die with the lab


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the demo plays with."""

    lab: Lab
    house: House
    clock: ManualClock


@contextmanager
def set_up(folder: Path, *, port: int = 0, scenario: str = "mo255463") -> Iterator[Stage]:
    """Start the lab, wire a Seedwatch to it with its database in *folder*, bring in the cast."""
    clock = ManualClock(START)
    entries = read_seed_list((data_dir("seedlists") / "demo.csv").read_bytes()).entries
    with Lab(Scenario.bundled(scenario), clock=clock, seed=1) as lab:
        for entry in entries:
            lab.add_mailbox(entry.address, entry.password)
        for player in CAST:
            lab.add_mailbox(player.route, INBOX_PASSWORD)
        house = _house(lab, clock, folder, port)
        try:
            with Session(house.engine) as session:
                _cast(session, house, entries)
                session.commit()
            yield Stage(lab, house, clock)
        finally:
            house.close()


def _house(lab: Lab, clock: ManualClock, folder: Path, port: int) -> House:
    settings = demo_settings(
        folder,
        port=port,
        tenant={
            "tenant": lab.graph_tenant,
            "client_id": lab.graph_client_id,
            "client_secret": lab.graph_client_secret,
            "base_url": lab.api_url,
            "login_url": lab.api_url,
        },
    )
    transport = SmtpTransport(
        lambda recipient: lab.smtp_route(recipient.rpartition("@")[2]),
        hostname="seedwatch.lab.example",
        timeout_s=10,
    )
    edges = replace(
        edges_from(settings, clock),
        transport=transport,
        checker=HttpLinkChecker(allow_loopback=True, timeout_s=10),
        resolver=DnsResolver([lab.dns], timeout_s=10),
        alerters={"email": EmailAlerter(transport, settings.alerts.from_address, clock)},
    )
    house = build(
        settings, clock=clock, rng=random.Random(1), edges=edges, facts=_facts(lab, settings)
    )
    upgrade(house.engine)
    return house


def _facts(lab: Lab, settings: Settings) -> dict[str, ProviderFacts]:
    """The shipped facts, with the lab's servers in place of the real ones."""
    facts = load_facts(settings.data.seedlists_dir)
    for name, provider in lab.providers.items():
        imap: Endpoint = provider.imap
        hosts = facts[name].link_hosts
        facts[name] = replace(
            facts[name],
            imap=imap,
            link_hosts=("127.0.0.1",) if hosts else (),
        )
    return {name: facts[name] for name in lab.providers}


def _cast(session: Session, house: House, entries: tuple[SeedEntry, ...]) -> None:
    organisation = OrganisationRow(name="Demo")
    session.add(organisation)
    session.flush()
    organisation_id = saved(organisation.id)
    seeds.import_list(
        session,
        entries,
        organisation_id=organisation_id,
        name=SEED_LIST,
        vault=house.vault,
        now=house.clock.now(),
    )
    for player in CAST:
        _bring_in(session, house, organisation_id, player)
    put_schedule(
        session, organisation_id, "advisories", Plan("listen", "every 15m"), now=house.clock.now()
    )


def _bring_in(session: Session, house: House, organisation_id: int, player: Player) -> None:
    sender = SenderRow(
        organisation_id=organisation_id,
        key=player.domain,
        name=player.name,
        from_domain=player.domain,
        mail_from=player.mail_from,
        esp=player.esp,
        dkim_domain=player.domain,
    )
    session.add(sender)
    session.flush()
    session.add(
        RouteRow(
            organisation_id=organisation_id,
            sender_id=sender.id,
            address=player.route,
            confirmed_at=house.clock.now(),
        )
    )
    message = campaign_of(player)
    campaign = CampaignRow(
        organisation_id=organisation_id,
        sender_id=saved(sender.id),
        name=message.name,
        from_address=message.from_address,
        from_name=message.from_name,
        subject=message.subject,
        text=message.text,
        html=message.html,
    )
    session.add(campaign)
    session.flush()
    put_schedule(
        session,
        organisation_id,
        f"{player.name} every two hours",
        Plan("start", EVERY, {"campaign": campaign.id, "seed_list": SEED_LIST}),
        now=house.clock.now(),
    )


def campaign_of(player: Player) -> Campaign:
    """Fill the player's seed template."""
    link = f"https://{player.links_to}/{player.template}"
    subject, text, html = seed_campaign(player.template, brand=player.name, link=link)
    return Campaign(
        name=f"{player.name} {player.template}",
        from_address=f"hello@{player.domain}",
        from_name=player.name,
        subject=subject,
        text=text,
        html=html,
    )
