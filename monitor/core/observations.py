"""The judge's input: one cluster, which is one test at one provider at one look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.core.placements import Placement

# When the judge is told how a test stands, after its send time; just after rungs of the
# ladder. The first, at 30 minutes, lets slow deliveries come in; the later ones catch
# removal after delivery, which can be found no sooner than these steps.
JUDGED = tuple(timedelta(minutes=m) for m in (32, 62, 122, 242, 482, 1442, 2882))


@dataclass(frozen=True, slots=True)
class Observation:
    """The copies of one test at one provider, as they stood at one look.

    `look` is 0 for the first judgement of the cluster; higher numbers are later
    looks at the same copies. `features` are what the message can be blamed for, as
    "kind:value": url, track, dkim, ip, esp, attach. `regions` maps a seed to its
    region, where it has one. `gauges` are figures about single copies, of those that have
    one: "delay_h" (hours from sending to arrival), and what the provider's filter wrote into
    the headers: "scl", "bcl", "score" (points of another filter). Contaminated copies are
    left out by whoever builds this.
    """

    id: str  # stable: the same cluster and look give the same id
    at: datetime
    sent_at: datetime
    test: str
    sender: str
    provider: str
    look: int
    features: frozenset[str]
    placements: Mapping[str, Placement]  # seed address -> placement
    regions: Mapping[str, str]
    gauges: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # name -> seed -> value


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Told in place of an observation: it is later now, and nothing was seen."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Admitted:
    """Told in place of an observation: a provider itself says that its mail is in trouble."""

    at: datetime
    provider: str
    advisory: str  # its id: EX1227432
    until: datetime  # when it stands no longer, unless it is told again; *at* or before: now
