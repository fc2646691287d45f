"""The first thing a person reads: is my mail arriving, and whose fault is it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.blamed import features_of
from monitor.core.incidents import Cause, Direction, Incident, IncidentEvent, State
from monitor.web.filters import clean, counted, listed, span
from monitor.web.shares import ProviderState, ProviderView

FAULT = {
    Cause.PROVIDER: "The provider’s fault, not yours",
    Cause.PROVIDER_FEATURE: "The provider’s fault, not yours",
    Cause.SENDER: "This sender’s own mail",
    Cause.SENDER_AT_PROVIDER: "This sender’s mail, at one provider",
    Cause.CONTENT: "The content of this mail",
    Cause.POLICY: "A provider’s rule that you can meet",
    Cause.ESP: "The sending service’s fault",
    Cause.SEED: "Our own test mailbox, not your mail",
    Cause.MONITOR: "Our own monitor, not your mail",
    Cause.INSUFFICIENT: "Too little evidence to say whose fault it is",
}

_LATE = {
    Cause.PROVIDER: "The provider’s delay, not yours",
    Cause.SENDER: "How this sender’s mail is sent",
    Cause.MONITOR: "How mail is sent or measured",
}

_FEATURE_WORDS = {
    "url": "links to {}",
    "track": "tracking links of {}",
    "dkim": "signatures of {}",
    "ip": "the sending addresses {}",
    "esp": "the sending service {}",
    "attach": "attachments of type {}",
    "region": "the region {}",
}

# A cause as one of several that are possible.
CAUSE_WORDS = {
    Cause.PROVIDER: "the provider as a whole",
    Cause.PROVIDER_FEATURE: "the provider, over one part of the mail",
    Cause.SENDER: "the sender",
    Cause.SENDER_AT_PROVIDER: "the sender, at this provider",
    Cause.CONTENT: "the content",
    Cause.POLICY: "a rule of the provider",
    Cause.ESP: "the sending service",
    Cause.SEED: "a test mailbox",
    Cause.MONITOR: "our own monitor",
    Cause.INSUFFICIENT: "too little evidence",
}

_ODDS = ((0.99, "almost certain"), (0.9, "very likely"), (0.7, "likely"), (0.5, "probable"))
_JUST = timedelta(hours=24)
_ORDER = {State.CONFIRMED: 0, State.SUSPECTED: 1, State.RECOVERING: 2, State.CLOSED: 3}


@dataclass(frozen=True, slots=True)
class Whom:
    """The words for the senders that an incident names, and for those it spares."""

    met: str = "Hit"
    not_met: str = "spared"
    title: str = "Who is hit"
    meaning: str = "Senders whose mail did not reach the inbox as usual."
    others: str = "Who is spared"


_HIT = Whom()
_UNSEEN = Whom("Not seen", title="Whose mail we cannot see", meaning="Nothing is known of it.")
_BETTER = Whom(
    "Fares better",
    "as usual",
    "Whose mail fares better",
    "Senders whose mail reaches the inbox more often than usual.",
    "Who sees no change",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What stands on top of the overview when no incident is open."""

    tone: ProviderState
    sentence: str
    detail: str
    begin: bool = False  # nothing was ever sent: say how to start


def urgent_first(incidents: Iterable[Incident]) -> list[Incident]:
    """Confirmed before suspected, provider before sender, new before old."""
    newest = sorted(incidents, key=lambda i: i.opened_at, reverse=True)
    return sorted(newest, key=lambda i: (_ORDER[i.state], not i.latest.cause.blames_provider))


def is_minor(incident: Incident) -> bool:
    """Does *incident* leave the question open whether mail arrives?"""
    latest = incident.latest
    is_better = latest.direction is Direction.BETTER
    return latest.cause is Cause.SEED or is_better or latest.is_foreboding


def is_just_over(incident: Incident, now: datetime) -> bool:
    """Did mail begin to arrive again within the last day? People may still be holding some."""
    return (
        incident.closed_at is not None
        and now - incident.closed_at < _JUST
        and State.RECOVERING in incident.states
        and incident.latest.part_of is None  # of what is not over
        and not is_minor(incident)
    )


def fault(incident: Incident) -> str:
    """Whose fault it is, in a few words. What is only suspected is said to be so."""
    latest = incident.latest
    if latest.part_of is not None:
        return "Part of another incident"
    if not incident.is_open and not incident.was_confirmed:
        return "A suspicion that came to nothing"
    words = _fault(latest)
    if latest.state is State.SUSPECTED and latest.cause is not Cause.INSUFFICIENT:
        return f"Perhaps {words[0].lower()}{words[1:]}"
    return words


def _fault(event: IncidentEvent) -> str:
    if event.direction is Direction.BETTER:
        return "A filter that has become milder"
    if event.is_foreboding:
        return "A filter that has become stricter"
    return (_LATE if event.is_late else FAULT).get(event.cause, FAULT[event.cause])


def stage(event: IncidentEvent) -> str:
    """The one word for how far it is. What asks nothing of anybody is a notice."""
    if event.part_of is not None:
        return "merged"
    if event.direction is Direction.BETTER and event.state is State.CONFIRMED:
        return "notice"
    return str(event.state)


def whom(event: IncidentEvent) -> Whom:
    """What to call those whose mail shows it, and the others."""
    if event.direction is Direction.BETTER:
        return _BETTER
    if event.gauge is not None:
        return Whom("Late", "in time") if event.is_late else Whom("Scored higher", "as usual")
    return _UNSEEN if event.cause is Cause.MONITOR else _HIT


def quiet_verdict(views: Sequence[ProviderView], tests: int, now: datetime) -> Verdict:
    """Say what the providers do while no incident is open. Silence is not health."""
    known = [v for v in views if v.current is not None and v.state is not ProviderState.OLD]
    if tests == 0:
        return Verdict(
            ProviderState.NO_DATA,
            "Nothing has been tested yet, so nothing is known.",
            "Seedwatch needs test mailboxes and one test to begin with.",
            begin=True,
        )
    if not known:
        return _nothing_seen(views, now)
    mixed = [v for v in known if v.state is ProviderState.MIXED]
    copies = sum(v.current.n for v in known if v.current)
    silent = [v.name for v in views if v not in known]
    detail = f"{counted(copies, 'copy', 'copies')} of test mail seen."
    if silent:
        detail += f" No fresh data from {listed(silent)}."
    if mixed:
        names = listed(v.name for v in mixed)
        return Verdict(
            ProviderState.MIXED,
            f"{len(known) - len(mixed)} of {len(known)} providers deliver normally; "
            f"much of the mail to {names} does not arrive.",
            f"No incident is open: the evidence names no cause yet. {detail}",
        )
    return Verdict(ProviderState.NORMAL, _all_well(len(known), len(views)), detail)


def _all_well(known: int, total: int) -> str:
    if total == 1:
        return "The one provider delivers normally."
    if known == total:
        return f"All {total} providers deliver normally."
    return f"{known} of {total} providers deliver normally; the others have no fresh data."


def _nothing_seen(views: Sequence[ProviderView], now: datetime) -> Verdict:
    newest = max((v.looked_at for v in views if v.looked_at), default=None)
    if newest and any(v.state is ProviderState.OLD for v in views):
        return Verdict(
            ProviderState.NO_DATA,
            f"Nothing new is known: the latest useful look was {span(now - newest)} ago.",
            "The numbers below are from then. Send a test, or see whether a worker is running: "
            "seedwatch doctor.",
        )
    unknown = sum(v.unknown for v in views)
    pending = sum(v.pending for v in views)
    parts = [
        f"{counted(pending, 'copy is', 'copies are')} on the way" if pending else "",
        f"{counted(unknown, 'copy', 'copies')} could not be looked for" if unknown else "",
    ]
    said = listed(p for p in parts if p)
    return Verdict(
        ProviderState.NO_DATA,
        "No data yet: no look into a mailbox has told anything.",
        f"{said[:1].upper()}{said[1:]}." if said else "No test was sent in this span.",
    )


def confidence(incident: Incident) -> tuple[str, float] | None:
    """Return in words and as a number how sure the named cause is; None if none is named."""
    latest = incident.latest
    number = latest.posterior.get(latest.cause)
    if number is None or latest.cause is Cause.INSUFFICIENT or latest.part_of is not None:
        return None
    return next((words for least, words in _ODDS if number >= least), "uncertain"), number


def likeliest(posterior: Mapping[Cause, float]) -> list[tuple[str, float]]:
    """The causes worth naming, in words, likeliest first."""
    known = sorted(((c, p) for c, p in posterior.items() if p >= 0.01), key=lambda x: -x[1])
    return [(CAUSE_WORDS[cause], share) for cause, share in known[:4]]


def placements_told(counts: Mapping[str, int]) -> str:
    """Where the hit copies are: "18 quarantine, 4 removed"."""
    most_first = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{n} {clean(word, 20)}" for word, n in most_first if n)


def feature_words(feature: str | None) -> str:
    """("url:lnk.example.net") -> "links to lnk.example.net"."""
    if not feature or feature == "*":
        return "what these messages share"
    known = [one.partition(":") for one in features_of(feature)]
    return " with ".join(
        _FEATURE_WORDS.get(kind, "{}").format(value or kind) for kind, _, value in known
    )
