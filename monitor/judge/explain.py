"""A finding in words: first what happens and since when, then whose fault it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.blamed import WHICH_MAIL, in_one
from monitor.core.incidents import Cause, Evidence, State, Tally
from monitor.core.placements import Placement
from monitor.judge.claims import Claim

LONGEST_NAME = 80
MOST_NAMES = 3  # of providers that a sentence lists one by one
NORMAL_EXCESS = 0.15  # by which a control may exceed its usual share and still be normal
NEW_USUAL = timedelta(days=14)  # after which what is better is learnt, and so becomes usual

# Where the mail goes: the doing of a provider, and what becomes of a sender's mail.
_DOING = {
    Placement.SPAM: ("putting mail{what} in spam", "goes to spam"),
    Placement.QUARANTINE: ("quarantining mail{what}", "is quarantined"),
    Placement.REJECTED: ("rejecting mail{what}", "is rejected"),
    Placement.MISSING: ("losing mail{what}", "goes missing"),
    Placement.REMOVED: ("removing mail{what} after delivery", "is removed after delivery"),
}
# What a filter used to do with mail that it lets through now.
_USED_TO = {
    Placement.SPAM: "put in spam",
    Placement.QUARANTINE: "quarantine",
    Placement.REJECTED: "reject",
    Placement.MISSING: "lose",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a sentence about an incident may say."""

    cause: Cause
    claim: Claim
    state: State
    since: datetime
    until: datetime | None
    evidence: Evidence
    asked: int  # senders whose mail could have been hit
    places_hit: int  # providers at which mail is lost
    places: int  # providers at which there was mail that could have been
    names: Mapping[str, str]  # of providers
    is_part: bool = False  # closed because a wider incident contains it
    is_late: bool = False  # that one is about mail that is late, not lost
    held: Placement = Placement.SPAM  # of a change for the better: what befell such mail before

    def provider(self, name: str | None) -> str:
        return plain(self.names.get(name or "", name or "a provider"))

    @property
    def so(self) -> str:
        return so(self.state)

    @property
    def hit(self) -> int:
        return len(self.evidence.hit)


def plain(text: str) -> str:
    """One line of *text* for a person: it came from outside and may be anything."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= LONGEST_NAME else clean[: LONGEST_NAME - 3] + "..."


def so(state: State) -> str:
    """How a conclusion begins: what is only suspected is concluded from no more than that."""
    return "If so, it is" if state is State.SUSPECTED else "It is"


def sentence(facts: Facts) -> str:
    """Say *facts* in a few short sentences."""
    if facts.is_late:
        return f"{_SUBJECT[facts.cause](facts)}: it is late, not lost. See the incident of that."
    if facts.is_part:
        return f"{_SUBJECT[facts.cause](facts)}: others are hit as well. See the wider incident."
    if facts.state in {State.RECOVERING, State.CLOSED} and facts.until is not None:
        return _recovery(facts)
    if facts.state is State.CLOSED:
        return f"{_SUBJECT[facts.cause](facts)}: nothing more is to be seen of it."
    tell = _CONFIRMED[facts.cause]
    if facts.state is State.SUSPECTED:
        return f"Suspected, not yet certain: {tell(facts)}"
    return tell(facts)


def time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _since(facts: Facts) -> str:
    return f"since {time(facts.since)}"


def what(*features: str) -> str:
    """The clause that tells which mail is meant, with a blank before it; may be empty."""
    return f" {in_one(map(_clause, features))}" if features else ""


def _which(facts: Facts) -> str:
    return what(*facts.claim.features)


def _clause(feature: str) -> str:
    kind, _, value = feature.partition(":")
    return WHICH_MAIL[kind].format(plain(value)) if kind in WHICH_MAIL else f"with {plain(feature)}"


def _mostly(evidence: Evidence) -> Placement:
    bad = {p: n for p, n in evidence.placements.items() if not Placement(p).is_arrived}
    return Placement(max(bad, key=lambda p: bad[p])) if bad else Placement.MISSING


def _doing(facts: Facts) -> str:
    return _DOING[_mostly(facts.evidence)][0].format(what=_which(facts))


def _fate(facts: Facts) -> str:
    return _DOING[_mostly(facts.evidence)][1]


def senders(n: int) -> str:
    return "1 sender" if n == 1 else f"{n} senders"


def _is_normal(tally: Tally, *, is_better: bool = False) -> bool:
    excess = tally.bad / tally.n - tally.expected if tally.n else 1.0
    return excess <= NORMAL_EXCESS and not (is_better and excess < -NORMAL_EXCESS)


def _normal_providers(facts: Facts) -> str:
    names = [
        facts.provider(t.name)
        for t in facts.evidence.controls
        if _is_normal(t, is_better=facts.claim.is_better) and not t.name.startswith("without ")
    ]
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return f" {listed(names)} {verb} {_usual(facts)}."


def listed(names: list[str]) -> str:
    if len(names) > MOST_NAMES + 1:
        rest = len(names) - MOST_NAMES
        names = [*names[:MOST_NAMES], f"{rest} other providers"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _by_provider(facts: Facts) -> str:
    if facts.claim.is_better:
        return (
            f"{facts.provider(facts.claim.provider)} lets mail{_which(facts)} through "
            f"that it used to {_USED_TO[facts.held]}: {facts.hit} of {senders(facts.asked)}, "
            f"{_since(facts)}. Nothing that you changed.{_normal_providers(facts)}"
        )
    return (
        f"{facts.provider(facts.claim.provider)} is {_doing(facts)}: {facts.hit} of "
        f"{senders(facts.asked)} hit {_since(facts)}. {facts.so} not you.{_normal_providers(facts)}"
    )


def _others(facts: Facts) -> str:
    total = facts.hit + len(facts.evidence.spared)
    normal = sum(_is_normal(t) for t in facts.evidence.spared)
    if total == facts.hit:
        return "no other sender to compare with."
    others = "the others are" if normal == total - 1 else f"{normal} of the others are"
    if total == 2:
        others = "the other is" if normal else "the other is not"
    return f"1 of {total} senders; {others} normal."


def _by_sender(facts: Facts) -> str:
    return (
        f"Mail from {plain(facts.claim.sender or '')} {_fate(facts)} at {_places(facts)} "
        f"{_since(facts)}: {_others(facts)} {facts.so} this sender's mail, not the providers."
    )


def _places(facts: Facts) -> str:
    if facts.places == 1:
        return "the one provider that we watch"
    share = "all" if facts.places_hit == facts.places else f"{facts.places_hit} of"
    return f"{share} {facts.places} providers"


def _at_provider(facts: Facts) -> str:
    return (
        f"Mail from {plain(facts.claim.sender or '')} {_fate(facts)} at "
        f"{facts.provider(facts.claim.provider)} {_since(facts)}: {_others(facts)} "
        f"{facts.so} this sender's standing there.{_normal_providers(facts)}"
    )


def _by_content(facts: Facts) -> str:
    if facts.claim.sender is None:
        return (
            f"Mail{_which(facts)} {_fate(facts)} everywhere {_since(facts)}: "
            f"{facts.hit} of {senders(facts.asked)} hit. {facts.so} what the mail contains, "
            "not one provider."
        )
    subject = f"Mail from {plain(facts.claim.sender)}{_which(facts)}"
    if facts.claim.feature is None:
        subject = f"A campaign from {plain(facts.claim.sender)}"
    return (
        f"{subject} {_fate(facts)} everywhere {_since(facts)}: {_others(facts)} "
        f"{facts.so} what the mail contains, not the providers."
    )


def _by_esp(facts: Facts) -> str:
    return (
        f"Mail{_which(facts)} {_fate(facts)} everywhere {_since(facts)}: "
        f"{facts.hit} of {senders(facts.asked)} hit. {facts.so} the sending service."
    )


def _by_monitor(facts: Facts) -> str:
    return (
        f"We cannot see any mail {_since(facts)}, of whatever sender and at whatever provider. "
        f"{facts.so} the monitor that fails, not the mail."
    )


def _by_seed(facts: Facts) -> str:
    return (
        f"The seed {plain(facts.claim.seed or '')} at {facts.provider(facts.claim.provider)} loses "
        f"mail that the other seeds there receive, {_since(facts)}. It is the mailbox; it is "
        "left out of every verdict until it works again."
    )


def _unsure(facts: Facts) -> str:
    return (
        f"Mail{_which(facts)} {_fate(facts)} at {facts.provider(facts.claim.provider)} "
        f"{_since(facts)}: {senders(facts.hit)} hit. There is not enough mail of others to "
        "tell whether it is the provider or the sender."
    )


def _recovery(facts: Facts) -> str:
    subject = _SUBJECT[facts.cause](facts)
    span = f"It lasted from {time(facts.since)} to {time(facts.until or facts.since)}"
    if facts.state is State.RECOVERING:
        return f"{subject} looks {_usual(facts)} again. {span} as far as we see; we go on watching."
    if facts.claim.is_better and (facts.until or facts.since) - facts.since >= NEW_USUAL:
        return f"{subject} is as usual: what is let through since {time(facts.since)} is usual now."
    met = "fared better" if facts.claim.is_better else "hit"
    whom = f"; {senders(facts.hit)} {met}" if facts.hit else ""
    return f"{subject} is {_usual(facts)} again. {span}{whom}."


def _usual(facts: Facts) -> str:
    return "as usual" if facts.claim.is_better else "normal"


def _provider_mail(facts: Facts) -> str:
    return f"Mail{_which(facts)} at {facts.provider(facts.claim.provider)}"


def _sender_mail(facts: Facts) -> str:
    place = f" at {facts.provider(facts.claim.provider)}" if facts.claim.provider else ""
    return f"Mail from {plain(facts.claim.sender or '')}{_which(facts)}{place}"


def _content_mail(facts: Facts) -> str:
    return _sender_mail(facts) if facts.claim.sender else f"Mail{_which(facts)}"


_CONFIRMED: Mapping[Cause, Callable[[Facts], str]] = {
    Cause.PROVIDER: _by_provider,
    Cause.PROVIDER_FEATURE: _by_provider,
    Cause.SENDER: _by_sender,
    Cause.SENDER_AT_PROVIDER: _at_provider,
    Cause.CONTENT: _by_content,
    Cause.ESP: _by_esp,
    Cause.MONITOR: _by_monitor,
    Cause.SEED: _by_seed,
    Cause.INSUFFICIENT: _unsure,
}
_SUBJECT: Mapping[Cause, Callable[[Facts], str]] = {
    Cause.PROVIDER: _provider_mail,
    Cause.PROVIDER_FEATURE: _provider_mail,
    Cause.SENDER: _sender_mail,
    Cause.SENDER_AT_PROVIDER: _sender_mail,
    Cause.CONTENT: _content_mail,
    Cause.ESP: lambda facts: f"Mail{_which(facts)}",
    Cause.MONITOR: lambda _: "The monitor",
    Cause.SEED: lambda facts: f"The seed {plain(facts.claim.seed or '')}",
    Cause.INSUFFICIENT: _provider_mail,
}
