"""A case: one incident as the judge keeps it, and how its state changes."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.core.incidents import Cause, State
from monitor.judge import ends, trend
from monitor.judge.attribute import left_open
from monitor.judge.claims import Claim, Family, Suspicion
from monitor.judge.clusters import Cluster
from monitor.judge.lines import Line
from monitor.judge.trend import Scene, Signs, Start
from monitor.judge.turns import Turn

# An incident ends once in two days or so; that it ended within the last two hours has a
# prior of 1 in 24. Odds of 9 to 1 after that take log(9) + log(24) nats: three good
# campaigns, or two of different senders and a third.
RECOVERS_AT = 5.4
DROPPED_AT = 4.6  # a suspicion takes less to end: odds of 100 to 1, without a prior
RELAPSES_AT = 5.4  # two campaigns lost again, in twice the time
CLOSES_AT = 9.0  # odds of 300 to 1
CLOSES_AFTER_H = 4.0  # of good mail: providers roll changes back in steps
QUIET_H = 12.0  # recovering, and no more mail to judge by
SUSPICION_H = 72.0  # a suspicion that stays one for so long was chance
FORGOTTEN_H = 168.0  # no mail that it could have hit for a week: nothing left to say
HYSTERESIS = 2.0  # nats below the line at which a suspicion is dropped
SAME = 0.6  # of the fewer, a case's victims or its other name's, must be the same
PART = 0.8  # of a case's losses must be covered by the wider one that contains it
NOVEL_H = 336.0  # what has been better for two weeks is learnt as usual, and ends with that
MOST_TESTS = 200
MOST_CHANCE = 0.1  # that a sender's trouble is but chance, or one campaign's, when it is told
LEAST_SHARE = 0.5  # of the named cause, when it is told
LEAST_COMMON = 0.7  # the same of a cause beyond one provider and one sender
CERTAIN = 0.95  # what was so probable is over, not refuted, when it is not seen any more
MOVED = 0.05  # by which the stated probability of the cause must change to be news
AGAIN_H = 2.0  # between two events that say only how certain it is
DOUBTED_H = 24.0  # after which it is told no more that it is less: the trouble becomes usual
WIDER_H = 0.25  # and that only name further senders: who is named is warned, so it must not wait
WIDER_SHARE = 0.1  # of its age that such news waits in a longer incident, ...
WIDEST_H = 4.0  # ... and at most

NARROW_TO_WIDE = (Family.SENDER, Family.PROVIDER, Family.COMMON)
KNOWN = {State.SUSPECTED: 0.5, State.CONFIRMED: 0.9, State.RECOVERING: 0.9, State.CLOSED: 0.9}


@dataclass(frozen=True, slots=True)
class Step:
    """The next state of a case, and why."""

    state: State
    reason: str


@dataclass(slots=True)
class Case:
    """Hours are counted from the Unix epoch."""

    id: str
    claim: Claim
    state: State
    opened: float
    start: Start
    score: float = 0.0
    is_unsure: bool = False  # the cause cannot be told
    by_removal: bool = False
    posterior: dict[Cause, float] = field(default_factory=dict)
    hit: list[str] = field(default_factory=list)
    names: int = 0  # it was given after its first
    told: int = 0  # senders named as hit in the latest event
    said: float = -math.inf  # when that was, ...
    sure: float = 0.0  # ... and how probable it called the cause
    tests: dict[str, None] = field(default_factory=dict)  # affected, in order
    heard: float = 0.0  # the latest mail that the claim covers
    healed: float | None = None  # since when its mail has been good
    back: float | None = None  # since when it has been bad again, after it had healed
    closed: float | None = None
    part_of: str | None = None  # the wider incident that contains it

    @property
    def cause(self) -> Cause:
        return Cause.INSUFFICIENT if self.is_unsure else self.claim.cause

    @property
    def is_open(self) -> bool:
        return self.state is not State.CLOSED

    def keeps_its_name(self, now: float, posterior: Mapping[Cause, float]) -> bool:
        """Was it named anew too lately, or is it a common cause that later mail only doubts?"""
        is_past = self.claim.family is Family.COMMON and self.is_past(posterior)
        return is_past or now - self.said < AGAIN_H * self.names  # the oftener, the longer

    @property
    def is_sure(self) -> bool:
        """Is the cause probable enough to be told? The line speaks for the evidence alone."""
        if self.claim.family is Family.PROVIDER:
            return True  # at its line it is as likely false as not
        chance = self.posterior.get(Cause.INSUFFICIENT, 0.0)
        if self.claim.family is Family.SENDER:
            single = self.claim.cause is not Cause.CONTENT or self.claim.feature is None
            chance += self.posterior.get(Cause.CONTENT, 0.0) if single else 0.0
            if chance > MOST_CHANCE:
                return False
            if self.is_unsure:
                return True
        least = LEAST_SHARE if self.claim.family is Family.SENDER else LEAST_COMMON
        return self.posterior.get(self.claim.cause, 0.0) >= least

    def is_past(self, posterior: Mapping[Cause, float]) -> bool:
        """Does *posterior* doubt what was told? Mail after the end makes it no less true.

        A claim that later mail refutes is withdrawn, by its score.
        """
        told = self.claim.family is not Family.SENDER and self.state is not State.SUSPECTED
        was = self.posterior.get(Cause.INSUFFICIENT, 0.0)
        doubts = posterior.get(Cause.INSUFFICIENT, 0.0) > was
        return told and doubts

    @property
    def stated(self) -> dict[Cause, float]:
        """The probabilities to state."""
        return left_open(self.posterior) if self.is_unsure else dict(self.posterior)

    @property
    def share(self) -> float:
        """The probability to state for the cause that is named."""
        return self.stated.get(self.cause, 0.0)

    def news(self, now: float) -> str | None:
        """Why a further event is worth writing although name and state are as they were.

        More senders are hit than were named, or the cause has become clearly more or less
        probable than was said.
        """
        if self.state is not State.CONFIRMED:
            return None
        quiet_h = min(WIDEST_H, max(WIDER_H, WIDER_SHARE * (now - self.opened)))
        if len(self.hit) > self.told and now - self.said >= quiet_h:
            return "More senders are hit."
        moved = self.share - self.sure
        if abs(moved) < MOVED or now - self.said < AGAIN_H:
            return None
        if moved < 0 and now - self.opened > DOUBTED_H:
            return None
        return "It is more certain now." if moved > 0 else "It is less certain now."

    @property
    def may_turn(self) -> bool:
        """Can mail that is where it was, only older, say anything for or against this?"""
        return self.by_removal or self.state is State.RECOVERING

    @property
    def needs_controls(self) -> bool:
        """Does mail that this is not about say which of the common causes it is?"""
        return self.claim.family is Family.COMMON and self.state is State.SUSPECTED

    @property
    def explains_any(self) -> bool:
        return self.claim.family in {Family.PROVIDER, Family.COMMON}

    def explains(self, cluster: Cluster) -> float:
        """Probability that this incident is why *cluster* is bad, if it is.

        A sender's own trouble is not an incident of this kind: each provider's filter
        for the sender accounts for it.
        """
        if self.claim.provider not in {None, cluster.provider} or not self.explains_any:
            return 0.0
        latest = cluster.at if cluster.moved is None else max(cluster.at, cluster.moved)
        if self.claim.family is Family.COMMON and cluster.is_spared_elsewhere:
            return 0.0  # what fails at one provider only has another cause
        novel = self.start.first + NOVEL_H if self.claim.is_better else math.inf
        if latest < self.start.low or cluster.sent > min(novel, self.closed or math.inf):
            return 0.0
        return KNOWN[self.state] if self.claim.covers(cluster) else 0.0

    def is_about(self, victims: Iterable[str]) -> bool:
        """Is it another name for the same mail, or its core? All mail has victims of chance."""
        hit, other = set(self.hit), set(victims)
        return len(hit & other) >= SAME * min(len(hit), len(other))

    def may_contain(self, other: "Case") -> bool:
        """Is *other* of a narrower kind?"""
        if any(c.is_better or c.family not in NARROW_TO_WIDE for c in (self.claim, other.claim)):
            return False
        return NARROW_TO_WIDE.index(other.claim.family) < NARROW_TO_WIDE.index(self.claim.family)

    def covers_losses(self, other: "Case", found: Signs) -> bool:
        """Does this case explain nearly all that *other* was opened for?"""
        lost = found.where((found.loss > 0) & (found.at >= other.start.first)).rows
        known = [c for c in found.memory.clusters(lost) if self.id in c.explained]
        return len(lost) > 0 and len(known) >= PART * len(lost)

    def assume(self, suspicion: Suspicion, scene: Scene) -> None:
        """Make the claim of *suspicion*, with its start and its victims."""
        self.claim, self.score, self.start = suspicion.claim, suspicion.score, scene.start
        self.by_removal = self.by_removal or suspicion.by_removal
        self.hit, self.told = [], 0
        self.name_victims(scene.found)

    def name_victims(self, found: Signs) -> None:
        """Bring up to date who is hit."""
        until = math.inf if self.healed is None else self.healed
        hit = trend.victims(found, self.start.first, until)
        self.hit += [sender for sender in hit if sender not in self.hit]
        lost = (found.loss > 0) & (found.at >= self.start.first) & (found.at < until)
        self.tests |= dict.fromkeys(found.where(lost).tests)
        self.tests = dict.fromkeys(list(self.tests)[:MOST_TESTS])

    def step(self, line: Line, ending: Turn, relapsing: Turn, now: float) -> Step | None:
        """Say what becomes of this case now; None if nothing does."""
        if self.state is State.SUSPECTED:
            return self._from_suspected(line, ending, now)
        if self.state is State.CONFIRMED:
            return self._withdrawn(line, ending) or self._from_confirmed(ending, now)
        if self.state is State.RECOVERING:
            return self._from_recovering(line, ending, relapsing, now)
        return None

    def _withdrawn(self, line: Line, ending: Turn) -> Step | None:
        """Give a claim up that the mail since then does not bear out.

        Not a sender's: what it meets for weeks becomes its usual, and is no less true. Nor
        the monitor's: what could not be seen is known no better later. What was all but
        certain takes a good campaign of those hit.
        """
        lasts = self.claim.family is Family.SENDER or self.claim.cause is Cause.MONITOR
        if lasts or self.score >= line.suspect - HYSTERESIS:
            return None
        if self.state is State.CONFIRMED and self.share >= CERTAIN:
            over = Step(State.CLOSED, "The mail since then is as usual.")
            return over if ending.evidence >= trend.MOST_GOOD else None
        return Step(State.CLOSED, ends.REFUTED)

    def _from_suspected(self, line: Line, ending: Turn, now: float) -> Step | None:
        if self.score >= line.confirm and self.is_sure:
            return Step(State.CONFIRMED, "The evidence is past the line.")
        if ending.evidence >= DROPPED_AT:
            return Step(State.CLOSED, ends.FINE)
        if self.score < line.suspect - HYSTERESIS:
            return Step(State.CLOSED, ends.REFUTED)
        if now - self.opened > SUSPICION_H:
            return Step(State.CLOSED, ends.LAPSED)
        return None

    def _from_confirmed(self, ending: Turn, now: float) -> Step | None:
        if ending.evidence >= RECOVERS_AT:
            return Step(
                State.RECOVERING,
                f"The latest {ending.campaigns} campaigns together say that it is over.",
            )
        if now - self.heard > FORGOTTEN_H:
            return Step(State.CLOSED, ends.SILENT)
        return None

    def _from_recovering(
        self, line: Line, ending: Turn, relapsing: Turn, now: float
    ) -> Step | None:
        if relapsing.evidence >= RELAPSES_AT:
            return Step(State.CONFIRMED, "It has come back.")
        healed = self.healed if self.healed is not None else now
        if ending.evidence >= CLOSES_AT and self.heard - healed >= CLOSES_AFTER_H:
            return Step(State.CLOSED, f"The {ending.campaigns} campaigns since then bear it out.")
        if now - self.heard > QUIET_H:
            return Step(State.CLOSED, "It has not come back for twelve hours.")
        if self._withdrawn(line, ending) is not None:
            return Step(State.CLOSED, "Nothing more is to be seen of it.")
        return None

    def snapshot(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "claim": self.claim.snapshot(),
            "state": self.state,
            "times": [self.opened, self.start.low, self.start.first, self.start.high],
            "later": [self.heard, self.healed, self.back, self.closed],
            "score": self.score,
            "flags": [self.is_unsure, self.by_removal, self.names],
            "posterior": dict(self.posterior),
            "hit": self.hit,
            "told": [self.told, None if self.said == -math.inf else self.said, self.sure],
            "tests": list(self.tests),
            "part_of": self.part_of,
        }

    @classmethod
    def restore(cls, body: dict[str, Any]) -> "Case":
        opened, *start = body["times"]
        claim, state = Claim.restore(body["claim"]), State(body["state"])
        case = cls(body["id"], claim, state, opened, Start(*start))
        case.score, case.hit = body["score"], list(body["hit"])
        case.told, said, case.sure = body["told"]
        case.said = -math.inf if said is None else said
        case.is_unsure, case.by_removal, case.names = body["flags"]
        case.posterior = {Cause(cause): share for cause, share in body["posterior"].items()}
        case.tests = dict.fromkeys(body["tests"])
        case.heard, case.healed, case.back, case.closed = body["later"]
        case.part_of = body["part_of"]
        return case
