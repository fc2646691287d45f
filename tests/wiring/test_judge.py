"""The judge of a running Seedwatch is the one of docs/judge.md, with what is configured."""

import random
from pathlib import Path

from monitor.core.clock import ManualClock
from monitor.judge.judge import Judge
from monitor.settings import demo_settings
from monitor.settings.sections import Judge as JudgeSection
from monitor.wiring import build
from tests.judge.worlds import PROVIDERS, at, demo_world, judged
from tests.wiring.test_routine import TENANT

RATE = 0.01  # so few that an incident is told later than by default


def test_the_judge_is_asked_with_the_rate_that_is_configured_and_the_providers_names(
    tmp_path: Path, clock: ManualClock
) -> None:
    settings = demo_settings(tmp_path, port=0, tenant=TENANT)
    assert settings.judge.false_alarms_per_year == 2.0
    wanted = JudgeSection(false_alarms_per_year=RATE)
    settings = settings.model_copy(update={"judge": wanted})
    house = build(settings, clock=clock, rng=random.Random(1))
    names = {provider: known.name for provider, known in house.facts.items()}
    first = house.bench.make(None)
    again = house.bench.make(first.snapshot())  # as after a restart
    house.close()
    seen = demo_world(providers=PROVIDERS[:4]).observations(at(11))
    said = judged(seen, first)
    assert judged(seen, again) == said
    assert judged(seen, Judge(false_alarms_per_year=RATE, names=names)) == said
    assert judged(seen, Judge(names=names))[0].at < said[0].at
