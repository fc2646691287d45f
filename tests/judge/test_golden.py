"""Golden replays: short streams of each scenario, and every sentence that they bring about.

The stories are in `golden/`. After a change of the judge that is meant, write them anew with

    python -m tests.judge.test_golden

and read the difference: each line is what a person is told.
"""

from pathlib import Path

import pytest

from benchmarks.judge.simulate import records, simulate
from benchmarks.judge.world import Settings
from monitor.judge.judge import Judge
from monitor.judge.stream import Replay

GOLDEN = Path(__file__).parent / "golden"
# Few senders and little chance, so that a story is short enough to be read.
SMALL = Settings(
    days=4.5,
    burn=2.0,
    S=12,
    P=4,
    M=6,
    rate_lo=1.5,
    rate_hi=4.0,
    base_mu=3.0,
    base_sd=0.3,
    season_amp=0.0,
    u_c=0.2,
    u_cp=0.2,
    cranky=0.0,
    own_fail_all=0.0,
    own_fail_p=0.0,
    episode_rate=0.0,
    mbreak_rate=0.0,
)
SEEDS = {
    "null_drift": 1,
    "provider_wide": 1,
    "provider_url": 4,
    "partial_region": 2,
    "zap_delayed": 1,
    "url_everywhere": 1,
    "esp_outage": 1,
    "monitor_down": 1,
    "sender_collapse": 5,
    "seed_broken": 1,
}


def story(scenario: str, seed: int) -> str:
    """What is said of a scenario, a line for each event."""
    replay = Replay(Judge(false_alarms_per_year=6.0))
    lines = []
    for record in records(simulate(scenario, seed, SMALL)):
        for event in replay.take(record):
            share = event["posterior"].get(event["cause"], 0.0)
            lines.append(
                f"{event['t']:7.2f}  {event['state']} {event['cause']} {share:.2f}"
                f"  {event['direction']}\n         {event['sentence']}\n"
            )
    return "".join(lines) or "nothing\n"


@pytest.mark.parametrize("scenario", SEEDS)
def test_each_scenario_is_told_in_the_same_words(scenario: str) -> None:
    assert story(scenario, SEEDS[scenario]) == (GOLDEN / f"{scenario}.txt").read_text()


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, number in SEEDS.items():
        (GOLDEN / f"{name}.txt").write_text(story(name, number))
