"""How a provider's filter is doing, in one public word that names no sender."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from monitor.core.incidents import Incident, State
from monitor.core.intervals import wilson

FEWEST_SENDERS = 5  # that a published cell speaks of: fewer could be told apart
BLOCK = timedelta(hours=6)  # mail is counted by fixed, disjoint spans, each published once
SETTLES = timedelta(hours=1)  # after the end of a block, until its copies have arrived
_USUAL = 0.1  # share that is lost, while nothing is known of a provider
_WORSE = 0.1  # above what is usual; surely more is called degraded
_FEWEST_BLOCKS = 8


class FilterState(StrEnum):
    NORMAL = "normal"
    DEGRADED = "degraded"
    WRONG = "wrong"
    UNKNOWN = "unknown"  # not enough data: said, never hidden

    @property
    def rank(self) -> int:
        """The worst is the highest; what is unknown is below all."""
        return [self.UNKNOWN, self.NORMAL, self.DEGRADED, self.WRONG].index(self)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one block of mail tells of one provider.

    `lost` is the mean over senders of the share of copies that did not reach the inbox, so
    that no sender outweighs the others; `n_eff` is how many independent copies it is worth.
    """

    senders: int = 0
    n: int = 0
    n_eff: float = 0
    lost: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is published of one provider."""

    state: FilterState
    sentence: str


def block_before(now: datetime) -> datetime:
    """Return the start of the latest block that is over and settled."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    over = (now - SETTLES - midnight) // BLOCK  # -1 in the first hour of a day
    return midnight + (over - 1) * BLOCK


def pooled(shares: Sequence[tuple[int, int, float]]) -> Cell:
    """Return the cell of senders' (copies, lost copies, effective copies).

    It is empty if too few senders speak: then nothing is said, not even how many.
    """
    if len(shares) < FEWEST_SENDERS:
        return Cell()
    lost = sum(bad / n for n, bad, _ in shares) / len(shares)
    # The variance of a mean of shares that are worth n_eff copies each.
    n_eff = len(shares) ** 2 / sum(1 / worth for _, _, worth in shares)
    low, high = wilson(min(lost, 1.0) * n_eff, n_eff)
    return Cell(len(shares), sum(n for n, _, _ in shares), n_eff, lost, low, high)


def judged(
    name: str, cell: Cell, incidents: Iterable[Incident], before: Sequence[float]
) -> Finding:
    """Say how the filter of provider *name* is doing.

    Args:
        incidents: open ones that blame this provider.
        before: the shares lost that were published of it earlier.
    """
    telling = [i for i in incidents if _is_public(i)]
    worst = min(telling, key=lambda i: i.state is not State.CONFIRMED, default=None)
    if worst is not None:
        return _of_incident(name, worst)
    if cell.lost is None or cell.low is None:
        return Finding(FilterState.UNKNOWN, f"Too few senders wrote to {name} lately to tell.")
    usual = median(before) if len(before) >= _FEWEST_BLOCKS else _USUAL
    if cell.low > usual + _WORSE:
        return Finding(FilterState.DEGRADED, f"More mail than usual does not arrive at {name}.")
    if cell.lost > usual + _WORSE:
        return Finding(FilterState.UNKNOWN, f"Too little mail to {name} was seen lately to tell.")
    return Finding(FilterState.NORMAL, f"Mail to {name} arrives as usual.")


def _is_public(incident: Incident) -> bool:
    """Is it sure enough, and does it speak of enough senders to hide each of them?"""
    latest = incident.latest
    is_sure = incident.state in {State.CONFIRMED, State.RECOVERING}
    return is_sure and len({*latest.hit, *latest.spared}) >= FEWEST_SENDERS


def _of_incident(name: str, incident: Incident) -> Finding:
    latest = incident.latest
    since = f"since {latest.start:%Y-%m-%d %H:%M} UTC"
    if incident.state is State.RECOVERING:
        return Finding(FilterState.DEGRADED, f"Mail to {name} begins to arrive again.")
    if latest.is_late:
        return Finding(FilterState.DEGRADED, f"{name} delivers mail late {since}.")
    link = _shared_link(latest.feature, latest.hit)
    which = f" that links to {link}" if link else ""
    return Finding(
        FilterState.WRONG, f"{name} keeps legitimate mail{which} from its readers {since}."
    )


def _shared_link(feature: str | None, hit: Sequence[str]) -> str:
    """The domain that is blamed; a link of a few senders may be one's own, and would name it."""
    kind, _, value = (feature or "").partition(":")
    return value if kind == "url" and len(set(hit)) >= FEWEST_SENDERS else ""
