"""What a provider admits, and whether it is what we saw. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.blamed import features_of
from monitor.core.incidents import Direction, Incident, IncidentEvent

MATCHED = 0.5  # score from which an advisory and an incident tell of the same
FARTHEST = timedelta(days=3)  # between the two, where they do not overlap
_LONE_SPAN = timedelta(hours=24)  # how long before its publication an undated one may have begun
_FADES = timedelta(hours=48)  # of the difference between their starts
_MAX_READ = 50_000  # characters of a text that are searched
_UNSAID = 0.4  # of what kinds can say, where one side has none

# What an advisory tells of, by its words. One may tell of several.
_CUES: Mapping[str, str] = {
    "quarantine": r"quarantin",
    "zap": r"\bzap\b|zero-hour|auto.?purge|removed after (?:delivery|being delivered)",
    "spam": r"\bspam|\bjunk",
    "phish": r"phish",
    "malware": r"malware",
    "url": r"\burls?\b|\blinks?\b|hyperlink|safe.?links?"
    r"|\bdomains? (?:\w+ ){0,3}(?:flagged|blocked)",
    "attachment": r"attach|winmail|\.ics\b",
    "delay": r"delay|latenc|queue|throttl|slow|backlog|deferr|\b45[01]\b",
    "reject": r"reject|bounc|\bndrs?\b|non-?delivery|undeliver|\b55[0-9]\b",
    "missing": r"not (?:be )?(?:receiv|deliver)|unable to (?:send|receive)|\bmissing\b|\blost\b"
    r"|fail(?:s|ed|ing|ure)? to (?:send|receive|deliver|arrive)",
    "reputation": r"reputation|block.?list|deny.?list|\bip (?:address|range|pool)",
}
KINDS = {kind: re.compile(cue, re.IGNORECASE) for kind, cue in _CUES.items()}

# Names by which a title tells whose trouble it is; the first that is found at all is asked alone.
_NAMES: Mapping[str, str] = {
    "microsoft365": r"microsoft 365|office ?365|\bm365\b|\bo365\b|exchange online|\bdefender\b",
    "outlook": r"outlook\.com|hotmail|live\.com|\bmsn\b",
    "gmail": r"gmail|google",
    "yahoo": r"yahoo",
    "aol": r"\baol\b",
    "icloud": r"icloud|\bapple\b|me\.com",
    "gmx": r"\bgmx\b",
    "webde": r"web\.de",
}
_PROVIDERS = {name: re.compile(cue, re.IGNORECASE) for name, cue in _NAMES.items()}

# Of which mailboxes one advisory tells: Google's Gmail is the mail of Workspace too.
_ALSO: Mapping[str, frozenset[str]] = {"gmail": frozenset({"google_workspace"})}

# "This has been merged into MO1148487", "will continue under EX1061430".
_GOES_ON = re.compile(
    r"(?i:merged? (?:in)?to|merged with|superseded by|duplicates?(?: of)?|tracked (?:as|under|in)"
    r"|continued? (?:as|in|under|at)|moved to|consolidated (?:in)?to|renamed (?:as|to))"
    r"[^.\n]{0,40}?\b([A-Z]{2}\d{4,9})\b"
)
# What an incident loses mail to, as an advisory would call it.
_LOST_TO = {
    "quarantine": {"quarantine", "phish", "malware"},
    "spam": {"spam", "phish"},
    "rejected": {"reject", "reputation", "missing"},
    "missing": {"missing", "quarantine", "delay", "reject"},
    "removed": {"zap", "quarantine", "phish", "malware"},
}
_BLAMED = {
    "url": {"url", "phish"},
    "track": {"url", "phish"},
    "attach": {"attachment", "malware"},
    "ip": {"reputation"},
}


def kinds_of(text: str) -> tuple[str, ...]:
    """What a text tells of: quarantine, zap, spam, url, delay, ... in a fixed order."""
    read = text[:_MAX_READ]
    return tuple(kind for kind, cue in KINDS.items() if cue.search(read))


def provider_named(title: str) -> str:
    """The one mailbox provider that *title* names; "" if it names none, or several."""
    found = [name for name, cue in _PROVIDERS.items() if cue.search(title[:1000])]
    return found[0] if len(found) == 1 else ""


def providers_of(provider: str) -> frozenset[str]:
    """The providers whose mailboxes an advisory of *provider* is about."""
    return frozenset({provider}) | _ALSO.get(provider, frozenset())


def successor_of(id_: str, text: str) -> str:
    """The id under which an advisory goes on, if its *text* says so; "" if not."""
    found = _GOES_ON.search(text[:_MAX_READ])
    return found[1] if found and found[1] != id_ else ""


@dataclass(frozen=True, slots=True)
class Story:
    """An advisory as all its versions tell it.

    Starts are revised later, so `started_at` is the earliest that was ever named.
    """

    id: str
    provider: str
    title: str
    text: str
    started_at: datetime | None
    ended_at: datetime | None
    published_at: datetime  # the first version
    updated_at: datetime
    is_resolved: bool
    kinds: tuple[str, ...] = ()
    url: str = ""
    is_entered: bool = False  # by a person, who did not say when it was published
    is_by_hand: bool = False  # no feed has told of it
    versions: int = 1
    goes_on_as: str = ""  # merged into, or renamed to, this other one

    @property
    def is_about_mail(self) -> bool:
        """What a person entered here is; of a feed's only what says so."""
        return bool(self.kinds) or self.is_by_hand


@dataclass(frozen=True, slots=True)
class Match:
    """How well an advisory and an incident go together."""

    score: float  # 0 to 1
    reasons: tuple[str, ...]
    lead: timedelta  # from our alarm to its publication; below 0: theirs was first

    @property
    def is_same(self) -> bool:
        return self.score >= MATCHED


def match(story: Story, incident: Incident, *, now: datetime) -> Match:
    """Say how probably *story* tells of *incident*.

    Provider, time and what is hit count: without the same provider or a common time there is
    no match at all; what the mail is lost to, and what is blamed, makes the rest.
    """
    lead = story.published_at - incident.alarmed_at
    event = incident.latest
    if not providers_of(story.provider) & {event.provider, event.esp}:
        return Match(0.0, (), lead)
    if event.direction is Direction.BETTER:
        return Match(0.0, (), lead)
    near, when = _time(story, incident, now)
    if near <= 0:
        return Match(0.0, (when,), lead)
    alike, what = _likeness(story, event)
    named = _named(story, event)
    score = min(1.0, 0.2 + 0.3 * near + 0.5 * alike + (0.2 if named else 0.0))
    reasons = ("the same provider", when, what, f"it names {named}" if named else "")
    return Match(round(score, 3), tuple(reason for reason in reasons if reason), lead)


def _time(story: Story, incident: Incident, now: datetime) -> tuple[float, str]:
    """How well the times agree, 0 to 1, and that in words."""
    begun = story.started_at or story.published_at - _LONE_SPAN
    over = story.ended_at if story.is_resolved and story.ended_at else now
    ours, closed = incident.latest.start_low, incident.closed_at or now
    gap = max(begun - closed, ours - max(over, begun))
    if gap > FARTHEST:
        return 0.0, f"{span(gap)} apart"
    if gap > timedelta(0):
        return 0.5 * math.exp(-gap / _FADES), f"{span(gap)} apart"
    apart = abs((story.started_at or story.published_at) - incident.latest.start)
    return 0.4 + 0.6 * math.exp(-apart / _FADES), f"their starts are {span(apart)} apart"


def _likeness(story: Story, event: IncidentEvent) -> tuple[float, str]:
    """How much what it tells of is what we see, 0 to 1, and that in words."""
    seen = _sought(event)
    if not story.kinds or not seen:
        return _UNSAID, ""
    common = [kind for kind in story.kinds if any(kind in words for words in seen)]
    share = sum(any(kind in words for kind in story.kinds) for words in seen) / len(seen)
    return share, f"both are about {', '.join(common)}" if common else "it tells of something else"


def _sought(event: IncidentEvent) -> list[set[str]]:
    """For each thing that is known of an incident, the words that would tell of it."""
    if event.is_late:
        return [{"delay"}]
    lost = {str(p): n for p, n in event.evidence.placements.items() if str(p) in _LOST_TO}
    mostly = max(lost, key=lambda p: lost[p]) if lost else ""
    blamed = [feature.partition(":")[0] for feature in features_of(event.feature)]
    found = [_LOST_TO[mostly]] if mostly else []
    return found + [_BLAMED[kind] for kind in blamed if kind in _BLAMED]


def _named(story: Story, event: IncidentEvent) -> str:
    """The blamed value, or its registered part, if the text says it."""
    text = f"{story.title}\n{story.text}".lower()[:_MAX_READ]
    for feature in features_of(event.feature):
        value = feature.partition(":")[2].lower()
        if len(value) >= 4 and re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", text):
            return value
    return ""


def merged(stories: Sequence[Story]) -> list[Story]:
    """Follow renamed and merged advisories: who goes on was published with the first of them."""
    by_id = {story.id: story for story in stories}
    first = {story.id: story for story in stories}
    for story in stories:
        heir, seen = by_id.get(story.goes_on_as), {story.id}
        while heir is not None and heir.id not in seen:
            first[heir.id] = _with_past(first[heir.id], story)
            seen.add(heir.id)
            heir = by_id.get(heir.goes_on_as)
    return [first[story.id] for story in stories]


def _with_past(heir: Story, past: Story) -> Story:
    starts = [at for at in (heir.started_at, past.started_at) if at is not None]
    return replace(
        heir,
        started_at=min(starts, default=None),
        published_at=min(heir.published_at, past.published_at),
        kinds=tuple(kind for kind in KINDS if kind in {*heir.kinds, *past.kinds}),
    )


def lead_sentence(story: Story, lead: timedelta, provider: str) -> str:
    """Say who was first: "We saw it 3 h 40 min before EX1227432 was published."

    Args:
        lead: from our alarm to its publication.
        provider: its name, for people.
    """
    published = "entered here" if story.is_entered else "published"
    if lead >= timedelta(minutes=1):
        return f"We saw it {span(lead)} before {story.id} was {published}."
    if lead > -timedelta(minutes=1):
        return f"We saw it when {story.id} was {published}."
    if story.is_entered:
        return f"{story.id} was entered here {span(-lead)} before we saw it."
    return f"{provider} published {story.id} {span(-lead)} before we saw it."


def span(time: timedelta) -> str:
    """A span in words, its two largest units: "3 h 40 min", "2 d 4 h", "20 min"."""
    minutes = round(abs(time).total_seconds() / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{rest} min"
