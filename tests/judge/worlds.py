"""Small simulated worlds: senders that mail in rounds, seeds that see it, trouble on order."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from monitor.core.incidents import IncidentEvent
from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge.judge import Judge
from tests.providers import NAMES

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PROVIDERS = tuple(NAMES)
LINK = "url:lnk.example.net"
LOOKS = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=1))


@dataclass(frozen=True)
class Sender:
    name: str
    features: frozenset[str] = frozenset()
    every: timedelta = timedelta(hours=2)


@dataclass(frozen=True)
class Mail:
    """One campaign at one provider, before anything befalls it."""

    sender: Sender
    provider: str
    sent_at: datetime
    seed: str = ""

    @property
    def has_link(self) -> bool:
        return LINK in self.sender.features


@dataclass(frozen=True)
class Trouble:
    """Mail that *hits* is placed in *placement*, at once or (*after* given) later."""

    hits: Callable[[Mail], bool]
    placement: Placement
    begins: timedelta
    ends: timedelta = timedelta(days=365)
    share: float = 1.0
    after: timedelta | None = None

    def meets(self, mail: Mail) -> bool:
        return START + self.begins <= mail.sent_at < START + self.ends and self.hits(mail)


def senders(count: int = 10, linking: int = 6) -> tuple[Sender, ...]:
    """The first *linking* of *count* senders link to the same domain; ESPs cut across."""
    made = []
    for number in range(count):
        features = {f"dkim:s{number}.example.org", f"esp:esp{number % 3}", f"ip:192.0.2.{number}"}
        if number < linking:
            features.add(LINK)
        made.append(Sender(f"s{number}.example.org", frozenset(features)))
    return tuple(made)


@dataclass
class World:
    """Who mails, who receives, and what goes wrong. Chance comes from *seed* alone."""

    senders: Sequence[Sender] = field(default_factory=senders)
    providers: Sequence[str] = PROVIDERS
    seeds: int = 4
    troubles: Sequence[Trouble] = ()
    stray: float = 0.0  # share of copies that land in spam for no reason
    regions: Sequence[str] = ()
    seed: int = 1
    looks: Sequence[timedelta] = LOOKS

    def observations(self, span: timedelta) -> list[Observation]:
        """All observations of *span*, in order of time."""
        made = [seen for rounds in self._tests(span) for seen in rounds]
        return sorted(made, key=lambda seen: (seen.at, seen.id))

    def _tests(self, span: timedelta) -> Iterator[list[Observation]]:
        chance = random.Random(self.seed)
        for order, sender in enumerate(self.senders):
            sent_at, number = START + timedelta(minutes=3 * order), 0
            while sent_at < START + span:
                test = f"{order:02}-{number:04}"
                for provider in self.providers:
                    yield self._cluster(chance, Mail(sender, provider, sent_at), test)
                sent_at, number = sent_at + sender.every, number + 1

    def _cluster(self, chance: random.Random, mail: Mail, test: str) -> list[Observation]:
        copies = {
            f"seed{i}@{mail.provider}.example": self._copy(chance, mail, i)
            for i in range(self.seeds)
        }
        regions = {
            address: self.regions[i % len(self.regions)]
            for i, address in enumerate(copies)
            if self.regions
        }
        return [
            Observation(
                id=f"{test}/{mail.provider}/{look}",
                at=mail.sent_at + delay,
                sent_at=mail.sent_at,
                test=test,
                sender=mail.sender.name,
                provider=mail.provider,
                look=look,
                features=mail.sender.features,
                placements={address: copy(delay) for address, copy in copies.items()},
                regions=regions,
            )
            for look, delay in enumerate(self.looks)
        ]

    def _copy(
        self, chance: random.Random, mail: Mail, number: int
    ) -> Callable[[timedelta], Placement]:
        usual = Placement.SPAM if chance.random() < self.stray else Placement.INBOX
        mail = replace(mail, seed=f"seed{number}")
        for trouble in self.troubles:
            if trouble.meets(mail) and chance.random() < trouble.share:
                after, bad = trouble.after or timedelta(0), trouble.placement
                return lambda delay: bad if delay >= after else usual
        return lambda _: usual


def judged(observations: Sequence[Observation], judge: Judge | None = None) -> list[IncidentEvent]:
    """Everything that a judge says about *observations*."""
    judge = judge or Judge(names=NAMES)
    return [event for seen in observations for event in judge.observe(seen)]


def at(hour: float) -> timedelta:
    return timedelta(hours=hour)


# The story of the demo: after five healthy rounds Microsoft 365 quarantines mail with one
# link domain, or removes it later, for twelve hours; one sender loses its reputation.
NORTHWIND = Sender("northwind.example.org", frozenset({"dkim:northwind.example.org", "esp:esp1"}))


def demo_world(**changes: object) -> World:
    def linking(mail: Mail) -> bool:
        return mail.provider == "microsoft365" and mail.has_link

    def own(mail: Mail) -> bool:
        return mail.sender is NORTHWIND

    quarantine = Trouble(linking, Placement.QUARANTINE, at(10), at(22), share=0.6)
    removal = Trouble(linking, Placement.REMOVED, at(10), at(22), after=timedelta(minutes=30))
    spam = Trouble(own, Placement.SPAM, at(10), share=0.9)
    world = World(senders=(*senders(10, 6), NORTHWIND), troubles=(quarantine, removal, spam))
    return replace(world, **changes)
