"""A Seedwatch as somebody has it at home, run in this process by a clock that the test moves."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlmodel import Session, col, select

from monitor.core.clock import ManualClock
from monitor.core.placements import Sighting
from monitor.core.seeds import Endpoint, SeedEntry
from monitor.lab.lab import Lab
from monitor.settings.sections import Alerts, Database, Reading, Secrets, Sending, Settings
from monitor.store import jobs, new_tests, schedules, seeds, sightings
from monitor.store.columns import saved
from monitor.store.engine import upgrade
from monitor.store.route_tables import RouteRow
from monitor.store.schedules import Plan, put_schedule
from monitor.store.tables import (
    CampaignRow,
    CopyRow,
    OrganisationRow,
    SeedListRow,
    SeedRow,
    SenderRow,
)
from monitor.wiring import House, build

LIST = "default"
PASSWORD = "pw"
READ_WITHIN_S = 20.0


def settings_at(folder: Path, smarthost: Endpoint) -> Settings:
    """What `seedwatch init` and two edited lines make."""
    return Settings(
        database=Database(url=f"sqlite:///{folder / 'seedwatch.db'}"),
        secrets=Secrets(key=(SecretStr(Fernet.generate_key().decode()),)),
        sending=Sending(
            host=smarthost.host, port=smarthost.port, security=smarthost.security, timeout_s=10
        ),
        reading=Reading(timeout_s=READ_WITHIN_S),
        alerts=Alerts(prove_domains=False),
    )


def hosted(lab: Lab, address: str) -> SeedEntry:
    """Give somebody a mailbox in the lab; return it as a line of a seed list."""
    lab.add_mailbox(address, PASSWORD)
    provider = next(p for p in lab.providers.values() if address.endswith("@" + p.domain))
    imap = provider.imap
    return SeedEntry(
        address,
        provider.id,
        password=PASSWORD,
        host=imap.host,
        port=imap.port,
        security=imap.security,
    )


class Home:
    """One house, and what a test does in it."""

    def __init__(self, settings: Settings, clock: ManualClock, *, seed: int = 1) -> None:
        self.clock = clock
        self.house: House = build(settings, clock=clock, rng=random.Random(seed))
        upgrade(self.house.engine)

    def close(self) -> None:
        self.house.close()

    def bring_in(self, entries: Sequence[SeedEntry], *domains: str) -> None:
        """Make a list of seeds, and a sender with one campaign for each of *domains*."""
        with Session(self.house.engine) as session:
            owner = OrganisationRow(name="Default")
            session.add(owner)
            session.flush()
            seeds.import_list(
                session,
                entries,
                organisation_id=saved(owner.id),
                name=LIST,
                vault=self.house.vault,
                now=self.clock.now(),
            )
            for domain in domains:
                _add_campaign(session, saved(owner.id), domain)
            session.commit()

    def send_test(self, domain: str) -> None:
        """Make a test of the sender's campaign, due now."""
        with Session(self.house.engine) as session:
            newest = session.exec(select(SeedListRow)).one()
            new_tests.create(
                session,
                _campaign(session, domain),
                seed_list_id=saved(newest.id),
                idempotency_key=f"{domain} {self.clock.now()}",
                send_at=self.clock.now(),
                now=self.clock.now(),
                rng=self.house.rng,
            )
            session.commit()

    def mail_regularly(self, domain: str, spec: str, *, over_s: float = 0) -> None:
        """Put the sender's campaign on a schedule, its copies spread over so many seconds."""
        with Session(self.house.engine) as session:
            campaign = _campaign(session, domain)
            put_schedule(
                session,
                campaign.organisation_id,
                domain,
                Plan(
                    "start",
                    spec,
                    {"campaign": campaign.id, "seed_list": LIST, "over_s": over_s},
                ),
                now=self.clock.now(),
            )
            session.commit()

    def mail_no_more(self, domain: str) -> None:
        """Take the sender's campaign off its schedule."""
        with Session(self.house.engine) as session:
            schedules.stop(session, _campaign(session, domain).organisation_id, domain)
            session.commit()

    def tell(self, domain: str, reader: str) -> None:
        """Let *reader* have the alerts that concern a sender."""
        with Session(self.house.engine) as session:
            campaign = _campaign(session, domain)
            session.add(
                RouteRow(
                    organisation_id=campaign.organisation_id,
                    sender_id=campaign.sender_id,
                    address=reader,
                    confirmed_at=self.clock.now(),
                )
            )
            session.commit()

    def live(self, span: timedelta) -> None:
        """Do all that falls due within *span*, each at its time."""
        end = self.clock.now() + span
        with self.house.worker() as worker:
            while (moment := self.next_moment()) is not None and moment <= end:
                self.clock.set(moment)
                worker.drain()
        self.clock.set(end)

    def next_moment(self) -> datetime | None:
        """When something is due next: work, or the turn of a schedule."""
        with Session(self.house.engine) as session:
            due = [jobs.next_due(session), schedules.next_slot(session)]
        return min((moment for moment in due if moment is not None), default=None)

    def looks(self) -> dict[str, list[Sighting]]:
        """What was seen in each seed mailbox, oldest first."""
        with Session(self.house.engine) as session:
            copies = session.exec(
                select(SeedRow.address, CopyRow.id)
                .join(CopyRow, col(CopyRow.seed_id) == col(SeedRow.id))
                .order_by(col(CopyRow.id))
            ).all()
            seen = sightings.histories(session, [saved(copy) for _, copy in copies])
        found: dict[str, list[Sighting]] = {}
        for address, copy in copies:
            found.setdefault(address, []).extend(seen.get(saved(copy), ()))
        return found

    def work(self) -> jobs.Counts:
        with Session(self.house.engine) as session:
            return jobs.counts(session, now=self.clock.now())


def _campaign(session: Session, domain: str) -> CampaignRow:
    return session.exec(select(CampaignRow).where(CampaignRow.name == domain)).one()


def _add_campaign(session: Session, owner: int, domain: str) -> None:
    sender = SenderRow(
        organisation_id=owner,
        key=domain,
        name=domain,
        from_domain=domain,
        mail_from=f"bounces@{domain}",
        dkim_domain=domain,
    )
    session.add(sender)
    session.flush()
    session.add(
        CampaignRow(
            organisation_id=owner,
            sender_id=saved(sender.id),
            name=domain,
            from_address=f"hello@{domain}",
            subject="What is new in March",
            text=f"Read it at https://{domain}/march",
        )
    )
