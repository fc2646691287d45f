"""Runs of the benchmark: each one simulated, judged and scored once, and kept in files."""

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from benchmarks.judge import rivals, score
from benchmarks.judge.labels import Record, read
from benchmarks.judge.simulate import records, simulate, truths
from benchmarks.judge.world import RECHECKS_H, Settings
from monitor.judge.judge import Judge
from monitor.judge.stream import Replay

SCORED = 1  # raise it when the figures of a run change: old runs are scored again
KINDS = ("obs", "truth", "incidents")


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

    @property
    def scored(self) -> Path:
        return self.folder / f"{self.name}.score.json"

    def figures(self) -> Record | None:
        """What an earlier run has left, if it is all there and scored as we score now."""
        if not self.scored.exists():
            return None
        found: Record = json.loads(self.scored.read_text())
        return found if found["scored"] == SCORED else None


def in_turn(groups: Iterable[list[Job]]) -> Iterator[Job]:
    """One job of each group after the other, so that a benchmark cut short has some of all."""
    left = [list(reversed(group)) for group in groups]
    while any(left):
        for group in left:
            if group:
                yield group.pop()


def _write(path: Path, lines: Iterable[Record]) -> None:
    """Write all lines or, if it is stopped, no file."""
    part = path.with_suffix(".part")
    with part.open("w") as file:
        file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    part.rename(path)


def play(job: Job) -> Record:
    """Simulate, judge and score one run; what is done already is not done again."""
    known = job.figures()
    if known is not None:
        return known
    if job.path("incidents").exists():
        files = [read(job.path(kind)) for kind in KINDS]
        speed: Record = {}
    else:
        files, speed = _judged(job)
    figures = score.score_run(*files) | {"scored": SCORED, "speed": speed}
    rivals.save(files[0], job.folder / f"{job.name}.rivals.npz")
    part = job.scored.with_suffix(".part")
    part.write_text(json.dumps(figures))
    part.rename(job.scored)
    return figures


def _judged(job: Job) -> tuple[list[list[Record]], Record]:
    job.folder.mkdir(parents=True, exist_ok=True)
    run = simulate(job.scenario, job.seed, job.settings)
    stream, truth = list(records(run)), _plain(truths(run))
    replay = Replay(Judge(false_alarms_per_year=job.rate))
    before = time.process_time()
    told = [event for record in stream for event in replay.take(record)]
    speed = {
        "seconds": time.process_time() - before,
        "observations": sum(record["type"] == "check" for record in stream),
        "results": (1 + len(RECHECKS_H)) * int(run.asked.sum()),
        "snapshot": len(json.dumps(replay.judge.snapshot(), separators=(",", ":"))),
    }
    for kind, lines in zip(KINDS, (stream, truth, told), strict=True):
        _write(job.path(kind), lines)
    return [stream, truth, told], speed


def _plain(lines: Iterable[Record]) -> list[Record]:
    """As they will be read: NumPy's numbers are Python's."""
    return [json.loads(json.dumps(line)) for line in lines]


def play_all(jobs: list[Job], at_once: int) -> list[Record | None]:
    """The figures of all *jobs*, in their order; what is new is told as it is done.

    A run that fails is told and has none, so that it does not cost hours of others.
    """
    found: dict[int, Record] = {}
    for number, job in enumerate(jobs):
        known = job.figures()
        if known is not None:
            found[number] = known
    print(f"{len(jobs)} runs, {len(found)} of them finished before", flush=True)
    with ProcessPoolExecutor(at_once) as pool:
        waiting: dict[Future[Record], int] = {}
        for number, job in enumerate(jobs):
            if number not in found:
                waiting[pool.submit(play, job)] = number
        for done in as_completed(waiting):
            _take(found, waiting[done], jobs, done)
    return [found.get(number) for number in range(len(jobs))]


def _take(found: dict[int, Record], number: int, jobs: list[Job], done: Future[Record]) -> None:
    error = done.exception()
    if error is not None:
        print(f"  {jobs[number].name} FAILED: {error!r}", flush=True)
        return
    found[number] = done.result()
    spent = found[number]["speed"].get("seconds", 0.0)
    print(f"  {len(found)}/{len(jobs)} {jobs[number].name}: {spent:.1f} s", flush=True)
