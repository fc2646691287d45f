"""How much evidence is enough, given how many false alarms a year are bearable."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from monitor.core.incidents import Cause
from monitor.judge.claims import Claim, Family, Suspicion

# False provider alarms per provider and year at a line of so many nats, as measured on 7.9
# provider-years of simulated quiet, both channels together; the last two also on 16.8
# provider-years with other troubles in them (docs/judge.md).
MEASURED = (
    *((42.0, 0.0), (17.0, 0.5), (8.6, 1.0), (4.7, 1.5), (2.4, 2.0), (1.3, 2.5), (0.7, 3.0)),
    *((0.2, 4.0), (0.06, 5.0)),
)
BETTER_SHARE = 0.1  # of the false alarms goes to changes for the better: they cost nobody mail
FEWEST_PROVIDERS = 6  # the family on which the table was measured
SUSPICIONS_PER_ALARM = 4.0  # suspicions are shown and told to nobody: they may err oftener
USUAL_FALSE_ALARMS = 2.0  # a year, for which the odds below are meant
COMMON_ODDS = 50.0  # of a common cause against campaigns that die by themselves
LASTING_ODDS = 1.0  # of a sender's lasting trouble against two bad campaigns: both are theirs
SUSPECTED = 3.0  # times smaller odds make a sender's trouble a suspicion
ONE_PROVIDER_ODDS = 9.0  # here, being wrong means that there is nothing
ONE_CAMPAIGN_ODDS = 9.0
DRIFT = 1.1  # nats: three to one, where scores have risen or a provider admits trouble
RELABEL = 2.0  # nats by which another name must be better before we change it


@dataclass(frozen=True, slots=True)
class Line:
    """Scores from which a claim is suspected, and from which it is confirmed."""

    suspect: float
    confirm: float


@lru_cache(maxsize=256)
def nats(false_alarms: float) -> float:
    """The line for so many false alarms per provider and year.

    Between the measured points, and beyond them, the logarithm of the rate is taken to
    be linear in the line.
    """
    points = MEASURED
    for left, right in pairwise(points):
        if false_alarms >= right[0] or right is points[-1]:
            slope = (right[1] - left[1]) / math.log(left[0] / right[0])
            return max(0.0, left[1] + slope * math.log(left[0] / false_alarms))
    raise AssertionError("the table has at least two points")


@dataclass(frozen=True, slots=True)
class Lines:
    """All lines of one deployment."""

    false_alarms_per_year: float
    providers: int  # watched
    drifting: frozenset[str] = frozenset()  # whose scores have risen, or who admit trouble

    def of(self, claim: Claim) -> Line:
        if claim.family is Family.PROVIDER:
            each = self.false_alarms_per_year / max(FEWEST_PROVIDERS, self.providers)
            each *= BETTER_SHARE if claim.is_better else 1.0
            drifts = claim.provider in self.drifting and not claim.is_better
            less = DRIFT if drifts else 0.0
            return Line(nats(each * SUSPICIONS_PER_ALARM) - less, nats(each) - less)
        stricter = math.log(USUAL_FALSE_ALARMS / self.false_alarms_per_year)
        if claim.family is Family.COMMON:
            odds = math.log(COMMON_ODDS) + stricter
            return Line(odds - math.log(SUSPICIONS_PER_ALARM), odds)
        if claim.cause is Cause.CONTENT and claim.feature is None:
            # One campaign is no lasting trouble: it stays a suspicion.
            return Line(math.log(ONE_CAMPAIGN_ODDS) + stricter, math.inf)
        lasting = claim.cause is not Cause.SENDER_AT_PROVIDER
        odds = math.log(LASTING_ODDS if lasting else ONE_PROVIDER_ODDS) + stricter
        return Line(odds - math.log(SUSPECTED), odds)

    def margin(self, suspicion: Suspicion) -> float:
        """By how much a suspicion is above the line from which it is worth showing."""
        return suspicion.score - self.of(suspicion.claim).suspect
