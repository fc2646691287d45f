"""How many seed results a second the judge takes in, scenario by scenario, on one core.

    python -m benchmarks.judge.speed [--scenarios slow,zap_delayed] [--seed N]

One run of 32 days each, without `--explain`, in processor time of this process: on a machine that
does other things it counts less than on one that is idle, because cores share their caches.
"""

import argparse
import time
from collections.abc import Sequence

from benchmarks.judge.scenarios import SCENARIOS
from benchmarks.judge.simulate import records, simulate
from benchmarks.judge.world import RECHECKS_H, Settings
from monitor.judge.judge import Judge
from monitor.judge.stream import Replay

RATE = 6.0  # false alarms a year, as the benchmark asks for


def measure(scenario: str, seed: int) -> tuple[int, float]:
    """Seed results of one run, every look at a copy counted, and the seconds that they took."""
    run = simulate(scenario, seed, Settings())
    stream = list(records(run))
    replay = Replay(Judge(false_alarms_per_year=RATE))
    before = time.process_time()
    for record in stream:
        replay.take(record)
    seconds = time.process_time() - before
    return (1 + len(RECHECKS_H)) * int(run.asked.sum()), seconds


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--seed", type=int, default=64000)
    options = parser.parse_args(argv)
    for scenario in options.scenarios.split(","):
        results, seconds = measure(scenario, options.seed)
        print(f"{scenario:16} {results / seconds:9,.0f} a second", flush=True)


if __name__ == "__main__":
    main()
