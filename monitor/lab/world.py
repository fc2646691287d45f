"""What the lab's servers share: time, chance, rules, mailboxes and counters."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.clock import Clock
from monitor.lab.clockwork import Agenda
from monitor.lab.journal import Journal
from monitor.lab.mailboxes import LabMailbox
from monitor.lab.providers import PROFILES, UNFILTERED_DOMAIN, Profile
from monitor.lab.rules import Action, Rule, Subject
from monitor.lab.scenario import Scenario


@dataclass(slots=True)
class Counters:
    """What one provider's servers did. A round trip is a wait for the client's next bytes."""

    smtp_connections: int = 0
    smtp_messages: int = 0
    imap_connections: int = 0
    imap_commands: int = 0
    imap_round_trips: int = 0


class World:
    """The state behind all listeners. Whoever reads or changes it holds `lock`."""

    def __init__(self, scenario: Scenario, *, clock: Clock, seed: int) -> None:
        self.scenario = scenario
        self.clock = clock
        self.seed = seed
        self.started_at = clock.now()
        self.lock = threading.RLock()
        self.agenda = Agenda()
        self.journal = Journal()
        self.mailboxes: dict[str, LabMailbox] = {}
        self.domains: dict[str, Profile] = {p.domain: p for p in PROFILES.values()}
        self.domains[UNFILTERED_DOMAIN] = PROFILES["corporate"]
        self.counters: defaultdict[str, Counters] = defaultdict(Counters)
        self.greylisted: dict[tuple[str, str], datetime] = {}
        self.api_url = ""
        self._rules: dict[tuple[Action, ...], tuple[Rule, ...]] = {}
        self._numbers = 0

    def now(self) -> datetime:
        return self.clock.now()

    def elapsed(self, moment: datetime | None = None) -> timedelta:
        return (moment or self.now()) - self.started_at

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        self.agenda.settle(self.now())

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def profile_of(self, address: str) -> Profile | None:
        return self.domains.get(address.rpartition("@")[2].lower())

    def rules(
        self, profile: Profile, *actions: Action, moment: datetime | None = None
    ) -> Iterator[Rule]:
        """Yield the rules for *actions* in force at a provider, now or at *moment*."""
        if actions not in self._rules:
            rules = self.scenario.rules
            self._rules[actions] = tuple(r for r in rules if r.action in actions)
        if not self._rules[actions]:
            return  # asked before every command: most scenarios have few kinds of rules
        elapsed = self.elapsed(moment)
        yield from (r for r in self._rules[actions] if r.holds(profile.id, elapsed))

    def rule_for(self, profile: Profile, address: str, *actions: Action) -> Rule | None:
        """Return the first of these rules that concerns this mailbox."""
        if address.endswith("@" + UNFILTERED_DOMAIN):
            return None
        subject = Subject(recipient=address)
        return next(
            (r for r in self.rules(profile, *actions) if r.matches(subject, self.seed)), None
        )

    def next_event_at(self) -> datetime | None:
        """The next deed or change of rules, whichever comes first."""
        change = self.scenario.next_change(self.elapsed())
        moments = [self.agenda.next_at(), None if change is None else self.started_at + change]
        return min((m for m in moments if m is not None), default=None)
