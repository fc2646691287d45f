"""Measures the judge on simulated streams, beside five usual detectors.

    python -m benchmarks.judge                  # every scenario, 40 runs each: hours
    python -m benchmarks.judge --runs 5 --scenarios provider_wide,MO255463
    python -m benchmarks.judge --runs 40 --headline-runs 100 --incident-runs 20 \\
        --control-senders 4 --report figures.md
    python -m benchmarks.judge --quick          # three short runs: only that it works

Each run is one process; --jobs of them run at once. A finished run is kept in --dir and not
run again, so that the benchmark may be stopped and started: delete the directory after a
change of the judge. One run of each scenario is made after the other, so that a benchmark
cut short is even. What is counted is told in score.py, documented incidents in
incidents.toml, the bound in genie.py. The rivals' lines are set on the runs of null_drift
to the rate that the judge is asked for.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.judge import documented, report
from benchmarks.judge.runs import Job, in_turn, play_all
from benchmarks.judge.scenarios import SCENARIOS
from benchmarks.judge.world import Settings

HEADLINES = ("provider_wide", "provider_url", "zap_delayed")
WITH_CONTROLS = ("null_drift", "provider_wide", "provider_url")
QUICK = ("provider_wide", "null_drift", "MO255463")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="three short runs")
    add("--runs", type=int, default=40, help="of each scenario")
    add("--headline-runs", type=int, help=f"of {', '.join(HEADLINES)}")
    add("--incident-runs", type=int, help="of each documented incident")
    add("--first-seed", type=int, default=50_000)
    add("--scenarios", default=",".join((*SCENARIOS, *documented.cases())))
    add("--control-senders", type=int, default=0, help="run some scenarios with so many, too")
    add("--control-runs", type=int, help="of each of them")
    add("--controls-wear", action="store_true", help="control senders lose reputation, too")
    add("--jobs", type=int, default=2, help="processes at once")
    add("--dir", type=Path, default=Path("var/benchmarks-judge"))
    add("--false-alarms-per-year", type=float, default=6.0)
    add("--without-rivals", action="store_true")
    add("--finished", action="store_true", help="run nothing: tables of what is there")
    add("--report", type=Path, help="write the tables to this file as well")
    return parser.parse_args()


def _runs_of(scenario: str, arguments: argparse.Namespace) -> int:
    special = None
    if scenario in HEADLINES:
        special = arguments.headline_runs
    elif scenario in documented.cases():
        special = arguments.incident_runs
    return int(arguments.runs if special is None else special)


def _jobs(arguments: argparse.Namespace, folder: Path) -> list[list[Job]]:
    """The runs of each scenario."""
    rate = arguments.false_alarms_per_year
    if arguments.quick:
        short = Settings(days=8.0, burn=4.0)
        return [[Job(name, 1, folder, short, rate)] for name in QUICK]
    first = arguments.first_seed
    return [
        [
            Job(name, seed, folder, Settings(), rate)
            for seed in range(first, first + _runs_of(name, arguments))
        ]
        for name in arguments.scenarios.split(",")
    ]


def _with_controls(arguments: argparse.Namespace, groups: Iterable[list[Job]]) -> list[list[Job]]:
    """The same runs with control senders beside the others, in a directory of their own."""
    count = arguments.control_senders
    if not count or arguments.quick:
        return []
    steady = not arguments.controls_wear
    name = f"controls-{count}{'' if steady else '-worn'}"

    def other(job: Job) -> Job:
        more = replace(job.settings, S=job.settings.S + count, controls=count)
        settings = replace(more, controls_steady=steady)
        return replace(job, folder=job.folder / name, settings=settings)

    some = [group[: arguments.control_runs] for group in groups]
    return [[other(job) for job in group if job.scenario in WITH_CONTROLS] for group in some]


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if arguments.quick else arguments.dir
        folder.mkdir(parents=True, exist_ok=True)
        groups = _jobs(arguments, folder)
        order = list(in_turn([*groups, *_with_controls(arguments, groups)]))
        if arguments.finished:
            order = [job for job in order if job.figures()]
        figures = play_all(order, arguments.jobs)
        played = [(job, run) for job, run in zip(order, figures, strict=True) if run]
        plain = [(job, run) for job, run in played if not job.settings.controls]
        if not plain:
            sys.exit(f"no run is finished in {folder}")
        text = report.report(
            *([job for job, _ in plain], [run for _, run in plain]),
            [r | {"controls": job.settings.controls} for job, r in played if job.settings.controls],
            failed=len(order) - len(played),
            rivals_at_once=0 if arguments.without_rivals else arguments.jobs,
            replayed=report.replay(plain[0][0].path("obs")),
        )
    print(f"\n{text}")
    if arguments.report:
        arguments.report.write_text(text)
    if len(played) < len(order):
        sys.exit(f"{len(order) - len(played)} runs failed")


if __name__ == "__main__":
    main()
