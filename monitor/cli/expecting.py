"""`seedwatch test expect`: the campaign is sent by the sender's own service."""

import shlex
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.asking import who_must_agree
from monitor.cli.context import (
    one_line,
    open_house,
    organisation_id,
    print_json,
    read_bounded,
)
from monitor.cli.domains import with_proof
from monitor.cli.options import of_a_test
from monitor.cli.sending import (
    commit_once,
    made_before,
    made_with,
    sender_of,
    span,
    told,
    write_campaign,
)
from monitor.core.campaigns import Campaign
from monitor.core.errors import BadInputError
from monitor.evidence import mime
from monitor.evidence.compose import MAX_SUBJECT
from monitor.evidence.eml import MAX_BYTES, read_campaign
from monitor.store import new_tests, seeds
from monitor.store.columns import saved
from monitor.store.expected import LONGEST
from monitor.store.new_tests import Expectation
from monitor.wiring import House


@dataclass(frozen=True, slots=True)
class Announced:
    """What the user of `test expect` said of the campaign, besides the message."""

    list_name: str
    from_address: str
    subject: str
    campaign_mark: str
    until: str
    esp: str
    alert_to: tuple[str, ...]
    key: str


@click.command("expect")
@click.argument(
    "message", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@of_a_test
@click.option(
    "--from",
    "from_address",
    default="",
    callback=one_line(254),
    help="The From address.  [default: that of MESSAGE]",
)
@click.option(
    "--subject",
    default="",
    callback=one_line(MAX_SUBJECT),
    help="The subject.  [default: that of MESSAGE]",
)
@click.option(
    "--campaign-mark",
    default="",
    callback=one_line(200),
    help="What your service writes into its own campaign header, the same in all copies.",
)
@click.option(
    "--until", default="24h", show_default=True, help="How long to wait for it.  [at most 14d]"
)
def expect(config: Path, message: Path | None, as_json: bool, **options: object) -> None:
    """Wait for a campaign that your own service sends to the seeds.

    Nothing is sent. The copies are known by the campaign's mark, by the wording of MESSAGE
    (an .eml file), or else by From and subject within the time. Without MESSAGE, give --from
    and --subject.
    """
    announced = Announced(**options)  # type: ignore[arg-type]
    campaign = _campaign(message, announced)
    with open_house(config) as house, Session(house.engine) as session:
        said = commit_once(session, lambda: carry_out(session, house, campaign, announced))
        said = with_proof(session, house, campaign.from_address, said)
    if as_json:
        print_json(said)
    else:
        click.echo(said["says"])


def _campaign(message: Path | None, announced: Announced) -> Campaign:
    """What is known of the campaign.

    Raises:
        BadInputError: the message cannot be read, or too little is said without one.
    """
    address, subject = announced.from_address, announced.subject.strip()
    if address:
        address = mime.check_address("--from", address)
    if message is not None:
        read = read_campaign(read_bounded(message, MAX_BYTES), name=message.stem)
        return replace(
            read, from_address=address or read.from_address, subject=subject or read.subject
        )
    for option, value in (("--from", address), ("--subject", subject)):
        if not value:
            remedy = "Without a message, say --from and --subject: copies are known by them."
            raise BadInputError(option, "", "is missing", remedy=remedy)
    return Campaign(
        name=subject[:200], from_address=address, from_name="", subject=subject, text=""
    )


def carry_out(
    session: Session, house: House, campaign: Campaign, announced: Announced
) -> dict[str, object]:
    """Write the test, and return what to say of it; the caller commits.

    Raises:
        BadInputError: an address or a span that is none.
        NotFoundError: there is no such seed list.
    """
    until = span("--until", announced.until, most=LONGEST)
    alert_to = tuple(mime.check_address("--alert-to", one) for one in announced.alert_to)
    owner = organisation_id(session)
    if announced.key and (earlier := made_with(session, owner, announced.key)) is not None:
        return made_before(session, house, earlier)
    newest = seeds.newest_list(session, owner, announced.list_name)
    sender = sender_of(session, owner, campaign, esp=announced.esp)
    row = write_campaign(session, house, sender, campaign, alert_to=tuple(dict.fromkeys(alert_to)))
    made = new_tests.expect(
        session,
        row,
        Expectation(
            key=announced.key or f"cli:{uuid.uuid4()}",
            until=until,
            campaign_mark=announced.campaign_mark.strip(),
        ),
        seed_list_id=saved(newest.id),
        now=house.clock.now(),
        rng=house.rng,
    )
    if made.campaign_id != row.id:
        return made_before(session, house, made)
    name = shlex.quote(announced.list_name)
    sentence = (
        f"Test {made.uid} waits for {campaign.subject!r} until "
        f"{made.expected_until:%d %b %H:%M} UTC.\n"
        "Now:\n"
        f"  1. Put the seeds on your service's list: seedwatch seeds export --list {name}"
        " --for SERVICE\n"
        f"     Is it complete? Export it there, then: seedwatch seeds diff FILE --list {name}\n"
        "  2. Send the campaign to that list as you always do.\n"
        "  3. That is all: its copies are found in the seeds, and looked after from then on."
    )
    sentence += who_must_agree(session, row, alert_to)
    return {**told(house, made, sentence), "expected_until": made.expected_until}
