"""What can be claimed: a cause and its place, and which clusters it would have hit."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from monitor.core.blamed import PLUS
from monitor.core.incidents import Cause, Direction
from monitor.judge.clusters import Cluster

FEWEST_VICTIMS = 2  # a provider is never blamed for what one sender meets
REGION = "region:"
ESP = "esp:"


class Family(StrEnum):
    """Causes that compete with each other, and are judged by one line."""

    PROVIDER = "provider"
    SENDER = "sender"
    COMMON = "common"  # beyond one provider and beyond one sender
    SEED = "seed"


FAMILY = {
    Cause.PROVIDER: Family.PROVIDER,
    Cause.PROVIDER_FEATURE: Family.PROVIDER,
    Cause.SENDER: Family.SENDER,
    Cause.SENDER_AT_PROVIDER: Family.SENDER,
    Cause.CONTENT: Family.SENDER,
    Cause.ESP: Family.COMMON,
    Cause.MONITOR: Family.COMMON,
    Cause.SEED: Family.SEED,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One cause at one place. What does not apply is None."""

    cause: Cause
    provider: str | None = None
    feature: str | None = None
    sender: str | None = None
    esp: str | None = None
    seed: str | None = None
    direction: Direction = Direction.WORSE
    second: str | None = None  # of a pair: a feature that its mail has as well
    family: Family = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        is_common = self.cause is Cause.CONTENT and self.sender is None
        object.__setattr__(self, "family", Family.COMMON if is_common else FAMILY[self.cause])

    @property
    def features(self) -> tuple[str, ...]:
        """The features that its mail must have, all of them, in the order of the alphabet."""
        return tuple(sorted(f for f in (self.wanted, self.second) if f is not None))

    @property
    def named(self) -> str | None:
        """The feature, or both of a pair, as events write them: `esp:acme+url:lnk.example`."""
        return self.feature if self.second is None else PLUS.join(self.features)

    @property
    def is_better(self) -> bool:
        """Is it that a filter lets mail through which it used to hold back?"""
        return self.direction is Direction.BETTER

    def covers(self, cluster: Cluster) -> bool:
        """Would this cause, while it lasts, have hit *cluster*?"""
        if self.cause is Cause.SEED:
            return False
        if self.provider not in {None, cluster.provider}:
            return False
        if self.sender not in {None, cluster.sender}:
            return False
        return self.has_feature(cluster)

    @property
    def wanted(self) -> str | None:
        """The feature that this claim is about, if it is about one."""
        return f"{ESP}{self.esp}" if self.esp is not None else self.feature

    @property
    def region(self) -> str | None:
        """The region of a provider's mailboxes that this claim is about, if it is about one."""
        is_region = self.feature is not None and self.feature.startswith(REGION)
        return self.feature.removeprefix(REGION) if self.feature and is_region else None

    def has_feature(self, cluster: Cluster) -> bool:
        """Does *cluster* carry what this claim is about, if it is about a feature at all?"""
        wanted = self.wanted
        if self.second is not None and self.second not in cluster.features:
            return False
        if wanted is None or wanted in cluster.features:
            return True
        return wanted.startswith(REGION) and wanted.removeprefix(REGION) in cluster.regional

    def snapshot(self) -> list[Any]:
        places = [self.provider, self.feature, self.sender, self.esp, self.seed]
        return [self.cause, *places, self.direction, self.second]

    @classmethod
    def restore(cls, row: list[Any]) -> "Claim":
        cause, provider, feature, sender, esp, seed, direction, second = row
        return cls(Cause(cause), provider, feature, sender, esp, seed, Direction(direction), second)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A claim with the evidence for it."""

    claim: Claim
    score: float  # log evidence, prior included
    window_h: float = 168.0  # the start of the trouble is at most so long ago
    by_removal: bool = False  # told by mail removed after delivery
