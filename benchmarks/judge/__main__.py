"""Measures the judge on simulated streams, beside four usual detectors.

    python -m benchmarks.judge                  # every scenario, 40 runs each: hours
    python -m benchmarks.judge --runs 5 --scenarios provider_wide,slow
    python -m benchmarks.judge --quick          # two short runs: only that it works

Each run is one process; --jobs of them run at once. A finished run is kept in --dir and not
run again, so that the benchmark may be stopped and started: delete the directory after a
change of the judge. `found`, `hours` and the rest are told in score.py. The rivals' lines
are set on the quiet runs of the directory to the rate that the judge is asked for.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.judge import rivals, score
from benchmarks.judge.simulate import SCENARIOS, records, simulate, truths
from benchmarks.judge.world import Settings
from monitor.judge.judge import Judge
from monitor.judge.stream import Replay


@dataclass(frozen=True, slots=True)
class Job:
    scenario: str
    seed: int
    folder: Path
    settings: Settings
    rate: float  # false alarms a year

    @property
    def name(self) -> str:
        return f"{self.scenario}-{self.seed}"

    def path(self, kind: str) -> Path:
        return self.folder / f"{self.name}.{kind}.jsonl"


def _write(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write all lines or, if it is stopped, no file."""
    part = path.with_suffix(".part")
    with part.open("w") as file:
        file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    part.rename(path)


def play(job: Job) -> tuple[str, float, int]:
    """Simulate and judge one run; return its name, CPU seconds and seed results."""
    run = simulate(job.scenario, job.seed, job.settings)
    stream = list(records(run))
    _write(job.path("obs"), stream)
    _write(job.path("truth"), truths(run))
    replay = Replay(Judge(false_alarms_per_year=job.rate))
    before = time.process_time()
    told = [event for record in stream for event in replay.take(record)]
    seconds = time.process_time() - before
    _write(job.path("incidents"), told)
    looks = 1 + len((2.0, 8.0, 24.0))
    return job.name, seconds, looks * int(run.asked.sum())


def _run(jobs: list[Job], at_once: int) -> None:
    waiting = [job for job in jobs if not job.path("incidents").exists()]
    print(f"{len(jobs)} runs, {len(jobs) - len(waiting)} of them finished before", flush=True)
    seconds, seen = 0.0, 0
    with ProcessPoolExecutor(at_once) as pool:
        for name, spent, results in pool.map(play, waiting):
            seconds, seen = seconds + spent, seen + results
            print(f"  {name}: {spent:.1f} s", flush=True)
    if seconds:
        print(f"{seen / seconds:,.0f} seed results a second, every look counted")


def _rivals(jobs: list[Job]) -> None:
    """Print the rivals' tables: their lines first, from the quiet runs."""
    drift = [job for job in jobs if job.scenario == "null_drift"]
    years = sum(job.settings.days - job.settings.burn for job in drift) / 365
    for name, make in rivals.RIVALS.items():
        quiet = [list(rivals.scores(score.read(job.path("obs")), make)) for job in drift]
        most = max(1, round(jobs[0].rate * years))  # few quiet runs favour the rivals
        line = rivals.line_for(quiet, most) if quiet else float("inf")
        with tempfile.TemporaryDirectory() as folder:
            for job in jobs:
                told = rivals.scores(score.read(job.path("obs")), make)
                _write(Path(folder) / job.path("incidents").name, rivals.events(told, line))
                for kind in ("obs", "truth"):
                    (Path(folder) / job.path(kind).name).symlink_to(job.path(kind).resolve())
            print(f"\n{name}, line {line:.3f} from {len(drift)} quiet runs")
            print(score.show(score.score(Path(folder))))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two short runs")
    parser.add_argument("--runs", type=int, default=40, help="of each scenario")
    parser.add_argument("--first-seed", type=int, default=50_000)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--dir", type=Path, default=Path("var/benchmarks-judge"))
    parser.add_argument("--false-alarms-per-year", type=float, default=6.0)
    parser.add_argument("--without-rivals", action="store_true")
    return parser.parse_args()


def _jobs(arguments: argparse.Namespace, folder: Path) -> list[Job]:
    rate = arguments.false_alarms_per_year
    if arguments.quick:
        short = Settings(days=8.0, burn=4.0)
        return [Job(name, 1, folder, short, rate) for name in ("provider_wide", "null_drift")]
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.runs)
    names = arguments.scenarios.split(",")
    return [Job(name, seed, folder, Settings(), rate) for name in names for seed in seeds]


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if arguments.quick else arguments.dir
        folder.mkdir(parents=True, exist_ok=True)
        jobs = _jobs(arguments, folder)
        _run(jobs, arguments.jobs)
        print(f"\nthe judge, asked for {jobs[0].rate:g} false provider alarms a year")
        print(score.show(score.score(folder)))
        if not arguments.without_rivals:
            _rivals(jobs)


if __name__ == "__main__":
    main()
