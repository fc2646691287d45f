"""`seedwatch test`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import (
    config_option,
    json_option,
    one_line,
    open_house,
    print_json,
    print_table,
    read_bounded,
)
from monitor.cli.domains import with_proof
from monitor.cli.expecting import expect
from monitor.cli.options import of_a_test
from monitor.cli.sending import Wish, carry_out, checked, commit_once
from monitor.cli.ways import sentences
from monitor.core.placements import Placement
from monitor.evidence.eml import MAX_BYTES, read_campaign
from monitor.store import expected, pages, placement_tests
from monitor.store.columns import saved
from monitor.store.placed import Placed, placed_of
from monitor.store.ways import way_out


@click.group()
def test() -> None:
    """Placement tests: send a campaign to the seeds, and see where it landed."""


test.add_command(expect)


@test.command("send")
@click.argument("message", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@of_a_test
@click.option(
    "--mail-from",
    default="",
    callback=one_line(254),
    help="Envelope sender, from now on for all mail of this domain.  [default: the From address]",
)
@click.option(
    "--every", default="", help='Send it on a schedule: "daily 09:00" (UTC) or "every 2h".'
)
@click.option(
    "--through",
    default="",
    callback=one_line(64),
    help="Send by [transports.NAME] of the configuration.  [default: the mail server of [sending]]",
)
@click.option(
    "--over", default="", help='Spread the copies evenly over so long: "30m", "2h".  [at most 1d]'
)
def send(config: Path, message: Path, as_json: bool, **options: object) -> None:
    """Send MESSAGE (an .eml file) to every seed of the list.

    The test is written down and then sent by the running worker (`seedwatch serve`).
    Nothing is written if anything about it could not be sent.
    """
    wish = checked(Wish(**options))  # type: ignore[arg-type]
    campaign = read_campaign(read_bounded(message, MAX_BYTES), name=message.stem)
    with open_house(config) as house, Session(house.engine) as session:
        said = commit_once(session, lambda: carry_out(session, house, campaign, wish))
        said = with_proof(session, house, campaign.from_address, said)
    if as_json:
        print_json(said)
    else:
        click.echo(said["says"])


@test.command("list")
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
def list_(config: Path, as_json: bool, limit: int) -> None:
    """Show the latest tests, newest first."""
    with open_house(config) as house, Session(house.engine) as session:
        lines = pages.newest_tests(session, limit=limit)
        unsent = expected.not_arrived(session, [line.uid for line in lines])
    if as_json:
        print_json(
            [
                {
                    "test": line.uid,
                    "sent_at": None if line.uid in unsent else line.sent_at,
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
                "not yet" if line.uid in unsent else f"{line.sent_at:%Y-%m-%d %H:%M}",
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
@click.argument("uid", callback=one_line(32))
def show(config: Path, uid: str, as_json: bool) -> None:
    """Show where the copies of test UID are: first and current placement by provider.

    The copies of a test share a fate at a provider, so n of them are worth only n_eff
    independent ones; the interval of the share in inbox or tab counts those.
    """
    with open_house(config) as house, Session(house.engine) as session:
        row = placement_tests.by_uid(session, uid)
        providers = placed_of(session, saved(row.id))
        way = way_out(session, row)
        has_left = expected.has_left(session, row)
    if as_json:
        print_json(
            {
                "test": uid,
                "sent_at": row.send_at if has_left else None,
                **asdict(way),
                "providers": {p: o.as_json() for p, o in providers.items()},
            }
        )
        return
    for sentence in sentences(way):
        click.echo(sentence)
    print_table(
        ("provider", "n", "n_eff", "first", "now", "inbox or tab", "waiting", "could not look"),
        [(name, *_cells(one)) for name, one in providers.items()],
    )


def _cells(one: Placed) -> tuple[object, ...]:
    return (
        one.n,
        "-" if one.n_eff is None else f"{one.n_eff:.1f}",
        _words(one.first),
        _words(one.current),
        _interval(one),
        one.pending,
        one.unknown,
    )


def _interval(one: Placed) -> str:
    if one.ci_low is None or one.ci_high is None:
        return "no data yet"
    return f"likely {one.ci_low:.0%} to {one.ci_high:.0%} (95 %)"


def _words(shares: Mapping[Placement, float]) -> str:
    if not shares:
        return "no data yet"
    return ", ".join(f"{share:.0%} {placement}" for placement, share in shares.items() if share)
