"""`seedwatch test`."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from sqlmodel import Session, col, select

from monitor.cli.context import (
    config_option,
    json_option,
    open_house,
    organisation_id,
    print_json,
    print_table,
)
from monitor.core.campaigns import Campaign
from monitor.core.placements import Placement
from monitor.evidence.eml import read_campaign
from monitor.store import new_tests, pages, placement_tests, seeds
from monitor.store.columns import saved
from monitor.store.placed import placed_of
from monitor.store.schedules import Plan, put_schedule
from monitor.store.tables import CampaignRow, RouteRow, SenderRow
from monitor.wiring import House


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user of `test send` asked for, besides the message."""

    list_name: str
    mail_from: str
    esp: str
    alert_to: tuple[str, ...]
    every: str
    key: str


@click.group()
def test() -> None:
    """Placement tests: send a campaign to the seeds, and see where it landed."""


@test.command("send")
@config_option
@click.argument("message", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "list_name", default="default", show_default=True, help="The seed list.")
@click.option("--mail-from", default="", help="Envelope sender.  [default: the From address]")
@click.option("--esp", default="", help="Your mail service's name, if you use one.")
@click.option("--alert-to", multiple=True, help="Who is told of incidents; may be repeated.")
@click.option(
    "--every", default="", help='Send it on a schedule: "daily 09:00" (UTC) or "every 2h".'
)
@click.option("--key", default="", help="Idempotency key: the same key makes one test only.")
@json_option
def send(config: Path, message: Path, as_json: bool, **options: object) -> None:
    """Send MESSAGE (an .eml file) to every seed of the list.

    The test is written down and then sent by the running worker (`seedwatch serve`).
    """
    wish = Wish(**options)  # type: ignore[arg-type]
    campaign = read_campaign(message.read_bytes(), name=message.stem)
    with open_house(config) as house, Session(house.engine) as session:
        row = _campaign_row(session, campaign, wish)
        if wish.every:
            said = _schedule(session, house, row, wish)
        else:
            said = _send_now(session, house, row, wish)
        session.commit()
    if as_json:
        print_json(said)
    else:
        click.echo(said["says"])


def _campaign_row(session: Session, campaign: Campaign, wish: Wish) -> CampaignRow:
    sender = _sender(session, campaign, wish)
    row = CampaignRow(
        organisation_id=sender.organisation_id,
        sender_id=saved(sender.id),
        name=campaign.name,
        from_address=campaign.from_address,
        from_name=campaign.from_name,
        subject=campaign.subject,
        text=campaign.text,
        html=campaign.html,
        headers=dict(campaign.headers),
    )
    session.add(row)
    session.flush()
    return row


def _sender(session: Session, campaign: Campaign, wish: Wish) -> SenderRow:
    owner = organisation_id(session)
    domain = campaign.from_address.rpartition("@")[2].lower()
    sender = session.exec(
        select(SenderRow).where(
            col(SenderRow.organisation_id) == owner, col(SenderRow.from_domain) == domain
        )
    ).first()
    if sender is None:
        sender = SenderRow(
            organisation_id=owner,
            key=domain,
            name=campaign.from_name or domain,
            from_domain=domain,
            mail_from=campaign.from_address,
            dkim_domain=domain,
        )
    sender.mail_from = wish.mail_from or sender.mail_from
    sender.esp = wish.esp or sender.esp
    session.add(sender)
    session.flush()
    _routes(session, sender, wish.alert_to)
    return sender


def _routes(session: Session, sender: SenderRow, addresses: tuple[str, ...]) -> None:
    known = set(
        session.exec(select(RouteRow.address).where(col(RouteRow.sender_id) == sender.id)).all()
    )
    for address in addresses:
        if address not in known:
            session.add(
                RouteRow(
                    organisation_id=sender.organisation_id, sender_id=sender.id, address=address
                )
            )


def _send_now(session: Session, house: House, row: CampaignRow, wish: Wish) -> dict[str, object]:
    newest = seeds.newest_list(session, row.organisation_id, wish.list_name)
    made = new_tests.create(
        session,
        row,
        seed_list_id=saved(newest.id),
        idempotency_key=wish.key or f"cli:{uuid.uuid4()}",
        send_at=house.clock.now(),
        now=house.clock.now(),
        rng=house.rng,
    )
    page = f"{house.settings.web.base_url.rstrip('/')}/tests/{made.uid}"
    return {
        "test": made.uid,
        "page": page,
        "says": f"Test {made.uid} is due now; the worker sends it.\n"
        f"Watch it: seedwatch test show {made.uid}, or {page}",
    }


def _schedule(session: Session, house: House, row: CampaignRow, wish: Wish) -> dict[str, object]:
    plan = Plan("start", wish.every, {"campaign": row.id, "seed_list": wish.list_name})
    seeds.newest_list(session, row.organisation_id, wish.list_name)  # says so if there is none
    schedule = put_schedule(
        session,
        row.organisation_id,
        f"{row.name} from {row.from_address}",
        plan,
        now=house.clock.now(),
    )
    return {
        "schedule": schedule.name,
        "next_at": schedule.next_at,
        "says": f"Scheduled {schedule.name!r}: first due {schedule.next_at:%d %b %H:%M} UTC.",
    }


@test.command("list")
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
def list_(config: Path, as_json: bool, limit: int) -> None:
    """Show the latest tests, newest first."""
    with open_house(config) as house, Session(house.engine) as session:
        lines = pages.newest_tests(session, limit=limit)
    if as_json:
        print_json(
            [
                {
                    "test": line.uid,
                    "sent_at": line.sent_at,
                    "sender": line.sender,
                    "campaign": line.campaign,
                    "copies": line.copies,
                    "decided": line.decided,
                    "arrived": line.arrived,
                    "unknown": line.unknown,
                }
                for line in lines
            ]
        )
        return
    print_table(
        ("test", "sent (UTC)", "sender", "campaign", "seen", "inbox or tab"),
        [
            (
                line.uid,
                f"{line.sent_at:%Y-%m-%d %H:%M}",
                line.sender,
                line.campaign,
                f"{line.decided} of {line.copies}",
                f"{line.arrived} of {line.decided}" if line.decided else "no data yet",
            )
            for line in lines
        ],
    )


@test.command("show")
@config_option
@json_option
@click.argument("uid")
def show(config: Path, uid: str, as_json: bool) -> None:
    """Show where the copies of test UID are: first and current placement by provider."""
    with open_house(config) as house, Session(house.engine) as session:
        row = placement_tests.by_uid(session, uid)
        providers = placed_of(session, saved(row.id))
    if as_json:
        print_json(
            {
                "test": uid,
                "sent_at": row.send_at,
                "providers": {p: o.as_json() for p, o in providers.items()},
            }
        )
        return
    print_table(
        ("provider", "copies that count", "first", "now", "waiting", "could not look"),
        [
            (name, one.n, _words(one.first), _words(one.current), one.pending, one.unknown)
            for name, one in providers.items()
        ],
    )


def _words(shares: Mapping[Placement, float]) -> str:
    if not shares:
        return "no data yet"
    return ", ".join(f"{share:.0%} {placement}" for placement, share in shares.items() if share)
