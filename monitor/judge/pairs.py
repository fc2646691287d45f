"""Claims about mail that has two features: a filter that takes a link only from one service.

A pair is asked about only where one of the two is suspected already, and named only if mail
with either alone is clearly spared. Else the single feature, which is the likelier, is enough.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.incidents import Cause
from monitor.judge.cases import Case
from monitor.judge.claims import REGION, Claim, Suspicion
from monitor.judge.columns import Columns, Kind, columns, probabilities
from monitor.judge.lines import Lines
from monitor.judge.losses import either
from monitor.judge.memory import Memory
from monitor.judge.provider_side import ANY_FEATURE, KINDS, MOST_FEATURES, shared_features
from monitor.judge.scan import MOSTLY_ALL, Question, evidence
from monitor.judge.table import AT, EVERYWHERE, IS_BAD, SENDER, Floats, Mask, Rows, numbered

FEWEST_SPARED = 2  # senders of mail with either feature alone: one may be spared by chance
SPARED = -1.0  # nats that such a sender's mail must say against trouble


def with_pairs(
    memory: Memory,
    lines: Lines,
    suspicions: list[Suspicion],
    now: float,
    case: Case | None = None,
) -> list[Suspicion]:
    """Return *suspicions* of a provider, and those of pairs with the most suspected feature.

    Args:
        case: the open incident that is being judged anew, if it is for that; it must not
            explain itself, and a pair is asked for with its feature in any case.
    """
    known, beside = (case.claim, case.id) if case is not None else (None, "")
    near = [s for s in suspicions if _is_pairable(s.claim)]  # of a change for the better, none
    best = [s for s in near[:1] if lines.margin(s) >= 0]
    if known is not None:  # while it is open, mail that is spared may have lowered its score
        best += [s for s in near if s.claim.feature == known.feature and s not in best]
    pairs = dict.fromkeys(_ordered(s, other) for s in best for other in _others(memory, s, now))
    if known is not None and known.feature is not None and known.second is not None:
        pairs[known.feature, known.second] = None
    if not pairs or not near:
        return suspicions
    found = _asked(memory, near[0].claim, list(pairs), now, beside)
    return sorted([*suspicions, *found], key=lambda s: -s.score)


def _is_pairable(claim: Claim) -> bool:
    if claim.feature is None or claim.is_better:
        return False
    return not claim.feature.startswith(REGION)


def _ordered(single: Suspicion, other: str) -> tuple[str, str]:
    feature = single.claim.feature or ""
    return (min(feature, other), max(feature, other))


def _others(memory: Memory, single: Suspicion, now: float) -> list[str]:
    """Features of which a pair could be made: mail with but one of the two is spared."""
    table, feature = memory.table, single.claim.feature or ""
    rows = table.sorted(table.at(single.claim.provider or ""))
    rows = rows[now - table.number(AT, rows) <= single.window_h]
    having = table.having([feature], rows)[0]
    hit = memory.clusters(rows[having & table.flag(IS_BAD, rows)])
    names = dict.fromkeys(f for cluster in hit for f in cluster.features if f != feature)
    shared = [name for name in names if table.is_shared(name)][: 2 * MOST_FEATURES]
    if not shared:
        return []
    spared = _Spared.among(memory, rows)
    return [
        name
        for name, other in zip(shared, table.having(shared, rows), strict=True)
        if spared.senders(having & ~other) >= FEWEST_SPARED
        and spared.senders(other & ~having) >= FEWEST_SPARED
    ][:MOST_FEATURES]


@dataclass(frozen=True, slots=True)
class _Spared:
    """What each cluster of some rows says for trouble at its provider, to be added by sender."""

    sender: Rows
    loss: Floats

    @classmethod
    def among(cls, memory: Memory, rows: Rows) -> "_Spared":
        table = memory.table
        everywhere = probabilities(table.number(EVERYWHERE, rows))
        return cls(numbered(table.key(SENDER, rows)), either(memory, rows, everywhere))

    def senders(self, mail: Mask) -> int:
        """How many senders' *mail* is clearly spared, less those whose mail is hit."""
        totals = np.bincount(self.sender[mail], self.loss[mail])
        return int((totals < SPARED).sum()) - int((totals > -SPARED).sum())


def _asked(
    memory: Memory, claim: Claim, pairs: Sequence[tuple[str, str]], now: float, beside: str
) -> Iterator[Suspicion]:
    """The best evidence for each of *pairs* at the provider of *claim*."""
    provider = claim.provider or ""
    among = shared_features(memory)
    prior = math.log(ANY_FEATURE / (among * (among - 1) / 2))
    best: dict[Claim, Suspicion] = {}
    for kind, share in KINDS:
        seen = columns(memory, provider, now, kind, beside=beside)
        if not len(seen):
            continue
        scores, windows = evidence(seen, _question(memory, seen, pairs))
        for pair, score, window in zip(pairs, scores.tolist(), windows.tolist(), strict=True):
            made = Claim(Cause.PROVIDER_FEATURE, provider, pair[0], second=pair[1])
            found = Suspicion(
                made, score + prior + math.log(share), window, kind is not Kind.ARRIVAL
            )
            if made not in best or found.score > best[made].score:
                best[made] = found
    return iter(best.values())


def _question(memory: Memory, seen: Columns, pairs: Sequence[tuple[str, str]]) -> Question:
    table = memory.table
    belongs = np.logical_and(
        table.having([first for first, _ in pairs], seen.rows),
        table.having([second for _, second in pairs], seen.rows),
    )
    return Question.plain(seen, belongs, np.stack([MOSTLY_ALL] * len(pairs)))
