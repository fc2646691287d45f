"""Heartbeats: harmless mail of our own on a schedule.

They bound how long trouble goes unseen at night, at week-ends and in small installations,
and they are controls: mail that is known to be good.
"""

from sqlmodel import Session, col, select

from monitor.rendering import seed_campaign
from monitor.settings import Settings
from monitor.store.columns import saved
from monitor.store.schedules import Plan
from monitor.store.tables import CampaignRow, OrganisationRow, SenderRow

NAME = "heartbeat"


def heartbeat_plan(session: Session, owner: OrganisationRow, settings: Settings) -> Plan:
    """Return what to do for a heartbeat; make its sender and campaign if they are new."""
    campaign = _campaign(session, _sender(session, owner, settings), settings)
    return Plan(
        "start",
        f"every {settings.heartbeat.every}",
        {"campaign": campaign.id, "seed_list": settings.heartbeat.seed_list},
    )


def _sender(session: Session, owner: OrganisationRow, settings: Settings) -> SenderRow:
    address = settings.alerts.from_address
    domain = address.rpartition("@")[2].lower()
    known = session.exec(
        select(SenderRow).where(
            col(SenderRow.organisation_id) == owner.id, col(SenderRow.from_domain) == domain
        )
    ).first()
    if known is not None:
        return known
    sender = SenderRow(
        organisation_id=saved(owner.id),
        key=domain,
        name=f"Heartbeat of {domain}",
        from_domain=domain,
        mail_from=address,
        dkim_domain=domain,
    )
    session.add(sender)
    session.flush()
    return sender


def _campaign(session: Session, sender: SenderRow, settings: Settings) -> CampaignRow:
    known = session.exec(
        select(CampaignRow).where(
            col(CampaignRow.sender_id) == sender.id, col(CampaignRow.name) == NAME
        )
    ).first()
    if known is not None:
        return known
    subject, text, html = seed_campaign(
        NAME, brand=sender.from_domain, link=f"https://{sender.from_domain}/"
    )
    campaign = CampaignRow(
        organisation_id=sender.organisation_id,
        sender_id=saved(sender.id),
        name=NAME,
        from_address=settings.alerts.from_address,
        from_name=sender.from_domain,
        subject=subject,
        text=text,
        html=html,
    )
    session.add(campaign)
    session.flush()
    return campaign
