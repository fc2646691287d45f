"""A filter that stops filtering: mail that used to be lost at one provider arrives there.

It is the scan of `scan.py` with lost and arrived exchanged, and the slow channel with them: a
share of the lost copies arrives, for a share of the senders, since some hour. A sender whose
own trouble has ended is the null, and so is a campaign that fares better everywhere. What was
usual is never more than the least that the provider has lost in eight weeks (`levels.py`).
"""

import math

import numpy as np

from monitor.core.incidents import Cause, Direction
from monitor.judge import slide
from monitor.judge.claims import Claim, Suspicion
from monitor.judge.columns import Columns, Kind, columns
from monitor.judge.memory import Memory
from monitor.judge.provider_side import ALL_MAIL, commonest, feature_prior
from monitor.judge.scan import ANY_SHARE, MOSTLY_ALL, Question, evidence

BETTER = Direction.BETTER
WORTH = 0.0  # nats of all mail from which its features are asked about: chance seldom has as much


def suspect_better(
    memory: Memory, provider: str, now: float, *, also: str | None = None, beside: str = ""
) -> list[Suspicion]:
    """Return what speaks for a milder filter at *provider*, the best claim first.

    Args:
        also: a feature that is asked about, however few have it.
        beside: an open incident that is being judged anew, and must not explain itself.
    """
    seen = columns(memory, provider, now, Kind.MILDER, beside=beside)
    found = _scanned(memory, seen, provider, []) if len(seen) else []
    if also is not None or any(s.score >= WORTH for s in found):
        found = _scanned(memory, seen, provider, _shared(memory, seen, also))
    slow = slide.suspect(memory, provider, now, beside=beside, direction=BETTER)
    if slow is not None:
        scores = [s.score for s in found if s.claim == slow.claim]
        if slow.score > max(scores, default=-math.inf):
            found = [slow, *(s for s in found if s.claim != slow.claim)]
    return sorted(found, key=lambda s: -s.score)


def _scanned(memory: Memory, seen: Columns, provider: str, features: list[str]) -> list[Suspicion]:
    """Ask of all mail, and of that with each of *features*. Regions are not asked."""
    claims = [(Claim(Cause.PROVIDER, provider, direction=BETTER), math.log(ALL_MAIL))]
    for feature in features:
        claim = Claim(Cause.PROVIDER_FEATURE, provider, feature, direction=BETTER)
        claims.append((claim, feature_prior(memory, feature)))
    belongs = np.ones((len(claims), len(seen)), dtype=bool)
    belongs[1:] = memory.table.having(features, seen.rows)
    priors = np.stack([ANY_SHARE, *[MOSTLY_ALL] * len(features)])
    scores, windows = evidence(seen, Question.plain(seen, belongs, priors))
    found = zip(claims, scores.tolist(), windows.tolist(), strict=True)
    return [Suspicion(claim, score + prior, window) for (claim, prior), score, window in found]


def _shared(memory: Memory, seen: Columns, also: str | None) -> list[str]:
    """The features of mail of at least two senders that fares better, the commonest first."""
    rows = seen.rows[seen.bad > seen.normal]
    names = {feature for cluster in memory.clusters(rows) for feature in cluster.features}
    return commonest(memory, rows, sorted(names), also)
