"""Whether an alert can have arrived, by where its twins landed. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from monitor.core.placements import Placement
from monitor.core.routes import Arrival
from monitor.core.seeds import ProviderFacts

THERE: Final = frozenset({Placement.INBOX, Placement.TAB})
LOST: Final = frozenset(
    {Placement.SPAM, Placement.QUARANTINE, Placement.REJECTED, Placement.REMOVED}
)


def arrival(twins: Sequence[Placement | None], *, is_last: bool) -> Arrival:
    """Say whether an alert arrived where these twins of it were sent.

    It did if most of them are in the inbox, a tab of it included. Where not as many are lost
    yet, there is hope until the last look; silence then confirms nothing.

    Args:
        twins: where each of them is; None if nobody could look, or it was nowhere so far.
        is_last: no further look will follow.
    """
    there = sum(one in THERE for one in twins)
    if 2 * there > len(twins):
        return Arrival.SEEN
    lost = sum(one in LOST for one in twins)
    return Arrival.UNCONFIRMED if is_last or 2 * lost >= len(twins) else Arrival.AWAITED


def same_house(provider: str, facts: Mapping[str, ProviderFacts]) -> frozenset[str]:
    """Return the ids of the providers that receive for *provider*'s house, itself included.

    One house runs one filter for its private and its business mail, and its MX hosts have one
    domain: outlook.com of both Outlook.com and Microsoft 365. (Told over one route too many
    is better than over one too few.)
    """
    mine = _domains(facts.get(provider))
    return frozenset({provider} | {one for one in facts if mine & _domains(facts[one])})


def _domains(known: ProviderFacts | None) -> set[str]:
    return {".".join(suffix.split(".")[-2:]) for suffix in known.mx} if known else set()
