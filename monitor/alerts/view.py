"""What a mail about an incident can be told in: short texts, with guarded domains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote

from monitor.alerts import table, words
from monitor.alerts.occasion import (
    Exposure,
    Links,
    Occasion,
    Office,
    exposure,
    is_worth_reporting,
    own_tests,
)
from monitor.core.blamed import features_of
from monitor.core.incidents import Direction, IncidentEvent, State
from monitor.core.routes import Audience

MAX_TESTS = 20


@dataclass(frozen=True, slots=True)
class View:
    """All that the templates of an incident's mail may name."""

    cause: str
    state: str
    is_probable: bool
    is_better: bool  # a filter that lets through more than usual
    is_late: bool  # mail arrives, but late
    is_part: bool  # closed because another incident contains it: `page` is that one's
    is_pair: bool  # `what` names two features, and takes both
    is_plain: bool  # for readers who do not know what SPF is
    is_before: bool  # the reader's own mail is not hit yet
    news: str  # opened, widened, changed, reminder, closed; "" if it was not said
    has_spared: bool  # there are other senders, and their mail arrives
    hit: int  # senders
    provider: str
    sender: str
    esp: str
    what: str
    region: str  # of the provider, if the incident is about its mailboxes there
    fate: str
    is_about_links: bool
    since: str
    earliest: str  # "" unless earlier than `since`
    latest: str  # "" unless later than `since`
    until: str  # since when mail is as usual; "" if that is not known
    certainty: str  # "very sure (98 %)"; "" if nothing is claimed
    sentence: str
    reason: str  # for this event
    ahead: str  # who was first, we or the provider; "" if it has published nothing
    rows: Sequence[table.Row]
    tests: Sequence[tuple[str, str]]  # name, link or ""
    exposure: Exposure | None
    known_by: str  # who acknowledged it; "" if nobody has
    form: str  # where the provider takes reports of false positives
    is_reportable: bool
    page: str  # of the incident, or ""
    links: Links
    recipient: str


def view(event: IncidentEvent, occasion: Occasion, office: Office) -> View:
    """Say what a template may say of *event* to the reader of *occasion*."""
    said = partial(_said, event)
    facts = office.facts.get(event.provider or "")
    known = occasion.acknowledged
    if (
        words.guard(office.base_url, event.feature) != office.base_url
    ):  # it lies below the very domain that is blamed
        office, occasion = replace(office, base_url=""), replace(occasion, links=Links())
    told = quote(event.part_of or event.incident, safe="")
    pages = [(name, office.page(f"tests/{quote(uid)}")) for uid, name in own_tests(occasion.body)]
    return View(
        cause=str(event.cause),
        state=str(event.state),
        is_probable=event.state is State.SUSPECTED,
        is_better=event.direction is Direction.BETTER,
        is_late=event.is_late,
        is_part=event.part_of is not None,
        is_pair=len(features_of(event.feature)) > 1,
        is_plain=occasion.audience is Audience.MARKETER,
        is_before=occasion.is_before,
        news=words.plain(occasion.news),
        has_spared=bool(event.evidence.spared),
        hit=len(event.hit),
        provider=said(facts.name if facts else event.provider or "the provider"),
        sender=said(event.sender),
        esp=said(event.esp),
        what=words.what(event.feature),
        region=words.region(event.feature),
        fate=words.LATE if event.gauge else words.fate(event.evidence.placements),
        is_about_links=words.is_about_links(event.feature),
        since=words.moment(event.start),
        earliest=words.moment(event.start_low) if event.start_low < event.start else "",
        latest=words.moment(event.start_high) if event.start_high > event.start else "",
        until=_until(event),
        certainty=words.certainty(event),
        sentence=said(event.sentence, 900),
        reason=said(event.reason),
        ahead=said(str(occasion.body.get("lead") or ""), 300),
        rows=table.rows(event, office.names),
        tests=[(said(name), link) for name, link in pages[:MAX_TESTS]],
        exposure=exposure(occasion.body),
        known_by=words.plain(str(known.get("by") or "somebody of yours")) if known else "",
        form=facts.report_form if facts else "",
        is_reportable=is_worth_reporting(event) and not occasion.is_before,
        page=office.page(f"incidents/{told}"),
        links=occasion.links,
        recipient=words.plain(occasion.recipient),
    )


def _said(event: IncidentEvent, text: str | None, longest: int = words.LONGEST) -> str:
    return words.guard(words.plain(text or "", longest), event.feature)


def _until(event: IncidentEvent) -> str:
    """Since when mail is as usual. What recovers is, whatever else is known of it."""
    at = event.at if event.state is State.RECOVERING else None
    known = event.until or at
    return words.moment(known) if known else ""
