"""What `seedwatch test send` does: all that was asked for is checked, then written down."""

import hashlib
import re
import shlex
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from monitor.cli.asking import put_routes, who_must_agree
from monitor.cli.context import organisation_id
from monitor.core.campaigns import Campaign
from monitor.core.departures import YOURS, Departure
from monitor.core.errors import BadInputError
from monitor.evidence import mime, stamp
from monitor.evidence.compose import compose
from monitor.store import new_tests, seeds
from monitor.store.columns import saved
from monitor.store.schedules import Plan, parse_spec, put_schedule
from monitor.store.tables import CampaignRow, SeedListRow, SenderRow, TestRow
from monitor.wiring import House
from monitor.wiring.transports import open_named

MAX_SCHEDULE_NAME = 100
MAX_SPREAD = timedelta(days=1)  # what takes longer is another test

T = TypeVar("T")

_SPAN = re.compile(r"([1-9]\d{0,3})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user of `test send` asked for, besides the message."""

    list_name: str
    mail_from: str
    esp: str
    alert_to: tuple[str, ...]
    every: str
    key: str
    through: str = ""
    over: str = ""

    @property
    def spread(self) -> timedelta:
        """Over how long the copies are to be spread."""
        return span("--over", self.over, most=MAX_SPREAD) if self.over else timedelta(0)


def span(option: str, typed: str, *, most: timedelta) -> timedelta:
    """Read a span of time: "30m", "2h", "1d".

    Raises:
        BadInputError: it is none, or longer than *most*.
    """
    found = _SPAN.fullmatch(typed)
    length = int(found[1]) * _UNITS[found[2]] if found else None
    if length is None:
        problem, remedy = "is not a span of time", 'Write "30m", "2h" or "1d".'
    elif length > most:
        problem = "is too long"
        remedy = f"Keep it at {most // timedelta(hours=1)} hours or less."
    else:
        return length
    raise BadInputError(option, typed, problem, remedy=remedy)


def checked(wish: Wish) -> Wish:
    """Return *wish* with its addresses as they stand in an envelope, each once.

    Raises:
        BadInputError: no address, no time, no span, or a key where none is needed.
    """
    if wish.every:
        parse_spec(wish.every)
        if wish.key:
            raise BadInputError(
                "--key", wish.key, "means nothing with --every", remedy="Leave one of them out."
            )
    _ = wish.spread
    mail_from = wish.mail_from and mime.check_address("--mail-from", wish.mail_from)
    alert_to = (mime.check_address("--alert-to", address) for address in wish.alert_to)
    return replace(wish, mail_from=mail_from, alert_to=tuple(dict.fromkeys(alert_to)))


def carry_out(session: Session, house: House, campaign: Campaign, wish: Wish) -> dict[str, object]:
    """Write a test or a schedule, and return what to say of it; the caller commits.

    Raises:
        BadInputError: *campaign* could not be sent as it stands, or there is no such transport.
        NotFoundError: there is no such seed list.
    """
    owner = organisation_id(session)
    if wish.key and (earlier := made_with(session, owner, wish.key)) is not None:
        return made_before(session, house, earlier)
    _need_transport(house, wish.through)
    newest = seeds.newest_list(session, owner, wish.list_name)
    sender = sender_of(session, owner, campaign, mail_from=wish.mail_from, esp=wish.esp)
    _rehearse(house, campaign, sender)
    row = write_campaign(session, house, sender, campaign, alert_to=wish.alert_to)
    if wish.every:
        return _schedule(session, house, row, wish)
    return _send_now(session, house, row, newest, wish)


def commit_once(session: Session, write: Callable[[], T]) -> T:
    """Write and commit; once more if somebody wrote the same at the same moment.

    Nothing of the first time is kept, and the second time finds what the other one made:
    the test of this key, or the sender.
    """
    try:
        written = write()
        session.commit()
    except IntegrityError:
        session.rollback()
        written = write()
        session.commit()
    return written


def _need_transport(house: House, name: str) -> None:
    """Refuse a transport that is not there, or cannot be opened as it is configured."""
    if name == YOURS:
        raise BadInputError(
            "--through",
            name,
            "means that your own service sends",
            remedy="Use: seedwatch test expect.",
        )
    if name:
        open_named(name, house.settings)


def made_with(session: Session, owner: int, key: str) -> TestRow | None:
    """The test that was made with this idempotency key."""
    return session.exec(
        select(TestRow).where(
            col(TestRow.organisation_id) == owner, col(TestRow.idempotency_key) == key
        )
    ).first()


def sender_of(
    session: Session, owner: int, campaign: Campaign, *, mail_from: str = "", esp: str = ""
) -> SenderRow:
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
    sender.mail_from = mail_from or sender.mail_from
    sender.esp = esp or sender.esp
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


def write_campaign(
    session: Session,
    house: House,
    sender: SenderRow,
    campaign: Campaign,
    *,
    alert_to: tuple[str, ...],
) -> CampaignRow:
    """Write *sender* and its campaign, and who is asked to be told; the caller commits."""
    session.add(sender)
    session.flush()
    put_routes(session, house, sender, alert_to)
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
        departure=Departure(
            transport=wish.through,
            over=wish.spread,
            copies_per_minute=house.settings.sending.copies_per_minute,
        ),
    )
    if made.campaign_id != row.id:
        return made_before(session, house, made)
    when = f" over {wish.over}" if wish.over else ""
    asked = who_must_agree(session, row, wish.alert_to)
    return told(house, made, f"Test {made.uid} is due now; the worker sends it{when}.{asked}")


def made_before(session: Session, house: House, test: TestRow) -> dict[str, object]:
    """What to say of a test that its key has made before; nothing else is written."""
    session.rollback()
    return told(house, test, f"Test {test.uid} was made with this key before.")


def told(house: House, test: TestRow, sentence: str) -> dict[str, object]:
    """What to say of a test: its id, its page, and *sentence*."""
    page = f"{house.settings.web.base_url.rstrip('/')}/tests/{test.uid}"
    says = f"{sentence}\nWatch it: seedwatch test show {test.uid}, or {page}"
    return {"test": test.uid, "page": page, "says": says}


def _schedule(session: Session, house: House, row: CampaignRow, wish: Wish) -> dict[str, object]:
    args: dict[str, object] = {"campaign": row.id, "seed_list": wish.list_name}
    if wish.through:
        args["through"] = wish.through
    if wish.over:
        args["over_s"] = wish.spread.total_seconds()
    plan = Plan("start", wish.every, args)
    name = _schedule_name(row)
    schedule = put_schedule(session, row.organisation_id, name, plan, now=house.clock.now())
    return {
        "schedule": schedule.name,
        "next_at": schedule.next_at,
        "says": f"Scheduled {schedule.name!r}: first due {schedule.next_at:%d %b %H:%M} UTC.\n"
        f"To end it: seedwatch schedules stop {shlex.quote(schedule.name)}"
        f"{who_must_agree(session, row, wish.alert_to)}",
    }


def _schedule_name(row: CampaignRow) -> str:
    """Campaign and address; of what is too long, the beginning and a mark of the whole."""
    whole = f"{row.name} from {row.from_address}"
    if len(whole) <= MAX_SCHEDULE_NAME:
        return whole
    mark = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: MAX_SCHEDULE_NAME - len(mark) - 1]} {mark}"
