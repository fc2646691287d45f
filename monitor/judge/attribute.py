"""Which of the claims is it, and how surely?"""

import math
from collections.abc import Iterable, Mapping, Sequence

from monitor.core.incidents import Cause
from monitor.judge.claims import Claim, Family, Suspicion
from monitor.judge.likelihood import log_add
from monitor.judge.lines import RELABEL, Lines

SURE = 0.7  # share of the real causes that one side must have, or it is left open whose fault
INCIDENTS_A_YEAR = 24.0  # of all providers watched, those that the advisories leave out too
TRUE_PER_NAT = 0.5  # true alarms come with two nats above the line, false ones ...
FALSE_PER_NAT = 1.26  # ... with less: the slope of the line's table
TAKEN_BACK = 0.4  # the share below which what was told once is taken back


def is_lasting(claim: Claim) -> bool:
    """Does the claim say more than that one campaign of one sender failed?"""
    return claim.cause is not Cause.CONTENT or claim.feature is not None or claim.sender is None


def choose(suspicions: Sequence[Suspicion], lines: Lines) -> Suspicion | None:
    """Return the claim to make, or None if none is past its line.

    Lasting trouble that is past its line goes before a single campaign's failure, which
    is the same mail seen from nearer.
    """
    shown = [s for s in suspicions if lines.margin(s) >= 0]
    certain = [s for s in shown if s.score >= lines.of(s.claim).confirm]
    single = [s for s in shown if not is_lasting(s.claim)]
    for group in (certain, single, shown):
        if group:
            return max(group, key=lambda s: s.score)
    return None


def rename(
    current: Claim, suspicions: Sequence[Suspicion], lines: Lines
) -> tuple[Suspicion | None, Suspicion | None]:
    """Return the evidence for *current*, and a claim that is clearly better, if any."""
    own = next((s for s in suspicions if s.claim == current), None)
    best = choose(suspicions, lines)
    if best is None or best.claim == current:
        return own, None
    if is_lasting(current) and not is_lasting(best.claim):
        return own, None
    if not is_lasting(current):
        return own, best if is_lasting(best.claim) else None
    better = own is None or best.score > own.score + RELABEL
    return own, best if better else None


def posterior(
    suspicions: Iterable[Suspicion], lines: Lines, *, rival: float = -math.inf
) -> dict[Cause, float]:
    """Return how probable each cause is; `insufficient` is what may be nothing at all.

    Args:
        rival: log odds that a sender's trouble at one provider is the provider's.
    """
    known = list(suspicions)
    weights: dict[Cause, float] = {}
    for suspicion in known:
        if is_lasting(suspicion.claim):
            cause = suspicion.claim.cause
            weights[cause] = log_add(weights.get(cause, -math.inf), suspicion.score)
    weights[Cause.PROVIDER] = log_add(weights.get(Cause.PROVIDER, -math.inf), rival)
    for cause, weight in _nothing_lasting(known, lines).items():
        weights[cause] = log_add(weights.get(cause, -math.inf), weight)
    total = log_add(*weights.values())
    return {cause: math.exp(w - total) for cause, w in weights.items() if w > -math.inf}


def _nothing_lasting(suspicions: list[Suspicion], lines: Lines) -> dict[Cause, float]:
    """The rest: a single campaign, or chance.

    A sender's claims, and those of common causes, are odds against just that.
    """
    families = {s.claim.family: s.claim for s in suspicions}
    if Family.PROVIDER in families:
        line = lines.of(families[Family.PROVIDER]).confirm
        return {Cause.INSUFFICIENT: line - _odds_at_line(lines)}
    if Family.COMMON in families:
        return {Cause.INSUFFICIENT: 0.0}
    single = max((s.score for s in suspicions if not is_lasting(s.claim)), default=-math.inf)
    both = log_add(0.0, single)
    return {Cause.CONTENT: single - both, Cause.INSUFFICIENT: -both}


def _odds_at_line(lines: Lines) -> float:
    """Log odds that a claim against a provider is true if its evidence is just at the line.

    How often such a claim is true, against how often false alarms were asked for; both by
    the nat, because much evidence is rarely chance.
    """
    true = INCIDENTS_A_YEAR * TRUE_PER_NAT
    return math.log(true / (lines.false_alarms_per_year * FALSE_PER_NAT))


def is_unsure(claim: Claim, shares: dict[Cause, float], *, was_sure: bool) -> bool:
    """Is it open whose fault it is: the provider's, the sender's, or what they share?

    Args:
        was_sure: it has been told before; it takes more to take that back.
    """
    real = 1 - shares.get(Cause.INSUFFICIENT, 0.0)
    same = sum(p for cause, p in shares.items() if _blames(cause) == _blames(claim.cause))
    return same < (TAKEN_BACK if was_sure else SURE) * real


def _blames(cause: Cause) -> str:
    if cause.blames_provider:
        return "provider"
    return "sender" if cause.blames_sender else cause.value


def left_open(shares: Mapping[Cause, float]) -> dict[Cause, float]:
    """The probabilities to state when it is left open whose fault it is.

    `insufficient` gets all but the likeliest cause's share: so surely it is not that one.
    """
    causes = {cause: share for cause, share in shares.items() if cause is not Cause.INSUFFICIENT}
    total = sum(causes.values())
    if not total:
        return {Cause.INSUFFICIENT: 1.0}
    most = max(causes.values())
    stated = {cause: share / total * most for cause, share in causes.items()}
    return stated | {Cause.INSUFFICIENT: 1 - most}
