"""A provider's filter: the scenario's rules held against one message, to one decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from monitor.lab.rules import Action, Rule, Subject

DEFAULT_TEXT = {
    Action.DEFER: "451 4.7.1 Try again later",
    Action.REJECT: "550 5.7.1 Message refused by policy",
    Action.GREYLIST: "451 4.7.1 Greylisted, try again later",
    Action.RCPT_REJECT: "550 5.1.1 The email account that you tried to reach does not exist",
    Action.FULL: "452 4.2.2 The recipient's inbox is out of storage space",
    Action.SMTP_REFUSE: "421 4.3.2 Service not available",
}
PLACES = (Action.SPAM, Action.QUARANTINE, Action.DROP, Action.TRUST)
ANSWERS = (Action.DEFER, Action.REJECT)
GREYLIST_DELAY = timedelta(minutes=5)


class Place(StrEnum):
    INBOX = "inbox"
    SPAM = "spam"
    QUARANTINE = "quarantine"
    DROPPED = "dropped"  # accepted and lost
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one message for one recipient. Due times are spans since the start."""

    answer: str = ""  # SMTP reply, if it is not accepted
    place: Place = Place.INBOX
    trusted: bool = False  # placed by the mailbox's own list, not by the filter
    tab: str = ""
    deliver_at: timedelta | None = None
    zap_at: timedelta | None = None
    zap_unread_only: bool = False
    times: int = 1
    authenticated: bool = True
    rewrites_links: bool = False


def decide(rules: Sequence[Rule], subject: Subject, *, seed: int, elapsed: timedelta) -> Decision:
    """Decide by the first matching rule of each kind.

    Args:
        rules: those in force at this provider now, in the scenario's order.
        subject: the message, for one recipient.
        seed: of the lab's chance.
        elapsed: the lab's age.
    """
    hits: dict[Action, Rule] = {}
    first_place: Rule | None = None
    for rule in rules:
        if rule.action in hits or not rule.matches(subject, seed):
            continue
        hits[rule.action] = rule
        if rule.action in PLACES and first_place is None:
            first_place = rule
    answer = next((hits[a] for a in ANSWERS if a in hits), None)
    if answer is not None:
        return Decision(answer=reply_text(answer))
    tab = hits.get(Action.TAB)
    zap = hits.get(Action.ZAP)
    late = hits.get(Action.DELAY)
    return Decision(
        place=_place(first_place),
        trusted=first_place is not None and first_place.action is Action.TRUST,
        tab=tab.tab if tab else "",
        deliver_at=late.moment(subject, seed, elapsed) if late else None,
        zap_at=zap.moment(subject, seed, elapsed) if zap else None,
        zap_unread_only=zap is not None and zap.unread_only,
        times=2 if Action.DUPLICATE in hits else 1,
        authenticated=Action.AUTH_FAIL not in hits,
        rewrites_links=Action.REWRITE_LINKS in hits,
    )


def _place(rule: Rule | None) -> Place:
    if rule is None or rule.action is Action.TRUST:
        return Place.INBOX
    return Place.DROPPED if rule.action is Action.DROP else Place(rule.action.value)


def reply_text(rule: Rule) -> str:
    """The SMTP reply of a rule: its own text, or what such servers usually say."""
    return rule.text or DEFAULT_TEXT[rule.action]
