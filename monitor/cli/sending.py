"""What `seedwatch test send` does: all that was asked for is checked, then written down."""

import hashlib
import shlex
import uuid
from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from monitor.cli.context import organisation_id
from monitor.core.campaigns import Campaign
from monitor.core.errors import BadInputError
from monitor.evidence import mime, stamp
from monitor.evidence.compose import compose
from monitor.store import new_tests, seeds
from monitor.store.columns import saved
from monitor.store.schedules import Plan, parse_spec, put_schedule
from monitor.store.tables import CampaignRow, RouteRow, SeedListRow, SenderRow, TestRow
from monitor.wiring import House

MAX_SCHEDULE_NAME = 100


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user of `test send` asked for, besides the message."""

    list_name: str
    mail_from: str
    esp: str
    alert_to: tuple[str, ...]
    every: str
    key: str


def checked(wish: Wish) -> Wish:
    """Return *wish* with its addresses as they stand in an envelope, each once.

    Raises:
        BadInputError: no address, no time, or a key where none is needed.
    """
    if wish.every:
        parse_spec(wish.every)
        if wish.key:
            raise BadInputError(
                "--key", wish.key, "means nothing with --every", remedy="Leave one of them out."
            )
    mail_from = wish.mail_from and mime.check_address("--mail-from", wish.mail_from)
    alert_to = (mime.check_address("--alert-to", address) for address in wish.alert_to)
    return replace(wish, mail_from=mail_from, alert_to=tuple(dict.fromkeys(alert_to)))


def carry_out(session: Session, house: House, campaign: Campaign, wish: Wish) -> dict[str, object]:
    """Write a test or a schedule, and return what to say of it; the caller commits.

    Raises:
        BadInputError: *campaign* could not be sent as it stands.
        NotFoundError: there is no such seed list.
    """
    owner = organisation_id(session)
    if wish.key and (earlier := _made_with(session, owner, wish.key)) is not None:
        return _told(house, earlier, f"Test {earlier.uid} was made with this key before.")
    newest = seeds.newest_list(session, owner, wish.list_name)
    sender = _sender(session, owner, campaign, wish)
    _rehearse(house, campaign, sender)
    row = _write(session, sender, campaign, wish)
    if wish.every:
        return _schedule(session, house, row, wish)
    return _send_now(session, house, row, newest, wish)


def _made_with(session: Session, owner: int, key: str) -> TestRow | None:
    return session.exec(
        select(TestRow).where(
            col(TestRow.organisation_id) == owner, col(TestRow.idempotency_key) == key
        )
    ).first()


def _sender(session: Session, owner: int, campaign: Campaign, wish: Wish) -> SenderRow:
    """The sender as this message makes it; a new one is not in the session yet."""
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
    return sender


def _rehearse(house: House, campaign: Campaign, sender: SenderRow) -> None:
    """Compose one copy and throw it away: what cannot be sent is refused here, not at work."""
    token = stamp.new_token(house.rng)
    compose(
        campaign,
        recipient="seed@example.org",
        message_id=stamp.message_id(token, 0, sender.from_domain),
        token=token,
        mail_from=sender.mail_from,
        date=house.clock.now(),
    )


def _write(session: Session, sender: SenderRow, campaign: Campaign, wish: Wish) -> CampaignRow:
    session.add(sender)
    session.flush()
    _routes(session, sender, wish.alert_to)
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


def _send_now(
    session: Session, house: House, row: CampaignRow, newest: SeedListRow, wish: Wish
) -> dict[str, object]:
    made = new_tests.create(
        session,
        row,
        seed_list_id=saved(newest.id),
        idempotency_key=wish.key or f"cli:{uuid.uuid4()}",
        send_at=house.clock.now(),
        now=house.clock.now(),
        rng=house.rng,
    )
    return _told(house, made, f"Test {made.uid} is due now; the worker sends it.")


def _told(house: House, test: TestRow, sentence: str) -> dict[str, object]:
    page = f"{house.settings.web.base_url.rstrip('/')}/tests/{test.uid}"
    says = f"{sentence}\nWatch it: seedwatch test show {test.uid}, or {page}"
    return {"test": test.uid, "page": page, "says": says}


def _schedule(session: Session, house: House, row: CampaignRow, wish: Wish) -> dict[str, object]:
    plan = Plan("start", wish.every, {"campaign": row.id, "seed_list": wish.list_name})
    name = _schedule_name(row)
    schedule = put_schedule(session, row.organisation_id, name, plan, now=house.clock.now())
    return {
        "schedule": schedule.name,
        "next_at": schedule.next_at,
        "says": f"Scheduled {schedule.name!r}: first due {schedule.next_at:%d %b %H:%M} UTC.\n"
        f"To end it: seedwatch schedules stop {shlex.quote(schedule.name)}",
    }


def _schedule_name(row: CampaignRow) -> str:
    """Campaign and address; of what is too long, the beginning and a mark of the whole."""
    whole = f"{row.name} from {row.from_address}"
    if len(whole) <= MAX_SCHEDULE_NAME:
        return whole
    mark = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: MAX_SCHEDULE_NAME - len(mark) - 1]} {mark}"
