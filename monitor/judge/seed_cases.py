"""Reports seeds that are broken, and that work again."""

from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.judge.cases import Case
from monitor.judge.claims import Claim
from monitor.judge.clusters import was_lost
from monitor.judge.docket import Docket
from monitor.judge.intake import News
from monitor.judge.likelihood import probability
from monitor.judge.memory import Memory
from monitor.judge.reports import Reporter
from monitor.judge.seeds import BROKEN, REPAIRED, SeedHealth
from monitor.judge.trend import UNKNOWN_BEFORE_H, Start


def follow(
    news: News, health: SeedHealth, docket: Docket, reporter: Reporter, now: float
) -> list[IncidentEvent]:
    """Open and close cases about the seeds that *news* is about."""
    if not news.seeds:
        return []
    events = []
    provider = news.cluster.provider
    known = {case.claim.seed: case for case in docket.about_seeds(provider)}
    for address in news.seeds:
        seed = health.of(provider, address)
        odds, case = seed.log_odds, known.get(address)
        if case is None and odds < BROKEN:
            continue
        if seed.region in health.failing_regions(provider):
            continue  # it is the region
        if case is None and odds >= BROKEN:
            claim = Claim(Cause.SEED, provider, seed=address)
            case = _case(reporter.memory, docket, claim, odds, now)
            events.append(reporter.event(case, "Its neighbours get what it does not.", now))
        elif case is not None and odds <= REPAIRED:
            case.state, case.closed, case.healed = State.CLOSED, now, news.cluster.sent
            events.append(reporter.event(case, "It receives mail again.", now))
    return events


def _case(memory: Memory, docket: Docket, claim: Claim, odds: float, now: float) -> Case:
    start = _start(memory, claim, now)
    case = Case(docket.new_id(claim, start.first), claim, State.CONFIRMED, now, start, heard=now)
    broken = probability(odds)
    case.posterior = {Cause.SEED: broken, Cause.INSUFFICIENT: 1 - broken}
    docket.add(case)
    return case


def _start(memory: Memory, claim: Claim, now: float) -> Start:
    """The losses without a copy that arrived since; the last that did bounds the start.

    Copies that arrived after the last loss, in mail that met other trouble, say nothing.
    """
    high = low = None
    clusters = sorted(memory.at_provider(claim.provider or ""), key=lambda c: -c.at)
    for cluster in clusters:
        fate = cluster.fates.get(claim.seed or "")
        if fate is not None and was_lost(fate):
            high = cluster.sent
        elif fate is not None and high is not None:
            low = cluster.sent
            break
    if high is None:
        return Start(now - UNKNOWN_BEFORE_H, now, now)
    return Start(high - UNKNOWN_BEFORE_H if low is None else min(low, high), high, high)
