"""What is asked of the memory, in which case: the suspicions for one case, or one campaign."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from monitor.core.incidents import Cause
from monitor.judge import common_side, provider_side, sender_side
from monitor.judge.better import suspect_better
from monitor.judge.cases import Case
from monitor.judge.claims import Claim, Family, Suspicion
from monitor.judge.clusters import Cluster
from monitor.judge.docket import Docket
from monitor.judge.lines import Lines
from monitor.judge.memory import Memory
from monitor.judge.pairs import with_pairs

NEAR = 3.0  # nats: a control can add no more than that to the evidence
OWN_TROUBLE_H = 48.0  # a sender in trouble for longer is no witness to a common cause


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions asked at the hour *now*; the best suspicion of an answer comes first."""

    memory: Memory
    docket: Docket
    lines: Lines
    now: float

    def about(self, case: Case, cluster: Cluster) -> Sequence[Suspicion]:
        """All that may be the cause of an open *case*, to which *cluster* brought news."""
        claim = case.claim
        if claim.family is Family.SENDER and claim.sender is not None:
            return self.of_sender(claim.sender, cluster, also=claim.provider)
        if claim.family is Family.PROVIDER and claim.provider is not None:
            ask = suspect_better if claim.is_better else provider_side.suspect
            found = ask(self.memory, claim.provider, self.now, also=claim.feature, beside=case.id)
            return with_pairs(self.memory, self.lines, found, self.now, case)
        return self.common(cluster, also=case)

    def of_sender(
        self,
        sender: str,
        cluster: Cluster,
        *,
        also: str | None = None,
        least: float = -math.inf,
    ) -> Sequence[Suspicion]:
        """What the sender of *cluster* may be in trouble with, at the provider *also* as well.

        Args:
            least: the line of a lasting trouble, if it is only asked whether any is past it.
        """
        since = partial(self.docket.healed, sender)
        return sender_side.suspect(
            self.memory, self.now, cluster, since=since, also=also, least=least
        )

    def common(self, cluster: Cluster, *, also: Case | None = None) -> Sequence[Suspicion]:
        """Common causes for the mail of *cluster*, and for the open case *also*."""
        apart = self.docket.in_trouble_before(self.now - OWN_TROUBLE_H)
        if cluster.is_blind:
            score = common_side.blindness(self.memory, self.now)
            return [Suspicion(Claim(Cause.MONITOR), score)]
        features = dict.fromkeys(cluster.features)
        if also is not None:
            about = common_side.about(self.memory, also.claim, also.tests)
            features = dict.fromkeys([*about, *features])
        beside = "" if also is None else also.id
        return common_side.suspect(self.memory, self.now, features, apart=apart, beside=beside)

    def open_to(self, cluster: Cluster) -> list[Cluster]:
        """What to ask providers about: mail that is bad, now that a control has come in."""
        if cluster.is_bad:
            return [cluster]
        near = self.docket.near
        mates = self.memory.trials[cluster.test].clusters.values()
        return [c for c in mates if c.is_bad and near.get(c.provider, -math.inf) > -NEAR]
