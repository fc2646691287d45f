"""`seedwatch advisories`: what providers admit."""

from datetime import timedelta
from pathlib import Path

import click
from sqlmodel import Session

from monitor.cli.context import (
    config_option,
    json_option,
    open_house,
    print_json,
    print_table,
    printable,
)
from monitor.core.advisories import Story, lead_sentence
from monitor.core.entered import entered
from monitor.core.errors import NotFoundError
from monitor.store import admissions
from monitor.store import advisories as rows

SINCE = timedelta(days=90)
SHOWN = 2_000  # characters of a text


@click.group()
def advisories() -> None:
    """Advisories: what providers admit, and what of it we saw before."""


@advisories.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """Show what was published in the last ninety days, the latest first."""
    with open_house(config) as house, Session(house.engine) as session:
        found = rows.stories(session, since=house.clock.now() - SINCE)
        found.sort(key=lambda story: story.published_at, reverse=True)
        documents = [rows.as_json(s, rows.matches_of(session, advisory=s.id)) for s in found]
    if as_json:
        print_json(documents)
        return
    print_table(
        ("advisory", "provider", "published (UTC)", "over", "title"),
        [
            (s.id, s.provider, f"{s.published_at:%Y-%m-%d %H:%M}", _over(s), s.title[:60])
            for s in found
        ],
    )


def _over(story: Story) -> str:
    return "yes" if story.is_resolved else "no"


@advisories.command("add")
@config_option
@click.argument("id_", metavar="ID")
@click.option("--provider", default="", help="Whose it is; Microsoft's ids tell it.")
@click.option("--title", default="", help="Its title: what it is about is read from it.")
@click.option("--text", default="", help="What it says.")
@click.option("--started", default="", help='When the trouble began: "2026-02-05 10:30", UTC.')
@click.option("--ended", default="", help="When it was over.")
@click.option("--published", default="", help="When it was published; else: when you enter it.")
@click.option("--url", default="", help="Where it can be read.")
def add(config: Path, id_: str, **fields: str) -> None:
    """Enter the advisory ID, as MO255463, that no feed of yours tells of."""
    with open_house(config) as house, Session(house.engine) as session:
        now = house.clock.now()
        advisory = entered({"id": id_, **fields}, now=now)
        is_new = rows.enter(session, advisory, now=now)
        admissions.tell(session, now=now)
        session.commit()
    click.echo(f"{'Kept' if is_new else 'Known already:'} {id_} ({advisory.provider}).")


@advisories.command("show")
@config_option
@json_option
@click.argument("id_", metavar="ID")
def show(config: Path, as_json: bool, id_: str) -> None:
    """Show the advisory ID, and the incidents that it tells of."""
    with open_house(config) as house, Session(house.engine) as session:
        known = rows.one(session, id_[:64])
        if known is None:
            raise NotFoundError(f"no advisory {id_[:64]!r} is known.", remedy="See: list")
        story, _ = known
        matches = rows.matches_of(session, advisory=story.id)
        facts = house.facts.get(story.provider)
    if as_json:
        print_json(rows.as_json(story, matches))
        return
    click.echo(printable(f"{story.id}: {story.title}"))
    click.echo(f"Published {story.published_at:%Y-%m-%d %H:%M} UTC. Over: {_over(story)}.")
    for line in story.text[:SHOWN].splitlines():
        click.echo(printable(line))
    for row in matches:
        lead = timedelta(seconds=row.lead_s)
        said = lead_sentence(story, lead, facts.name if facts else story.provider)
        click.echo(f"{row.incident} (score {row.score:.2f}): {said}")
