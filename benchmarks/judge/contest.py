"""The rivals on the judge's own runs, each with a line that gives the same false alarms."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.judge import documented, rivals, score
from benchmarks.judge.intervals import quantile
from benchmarks.judge.labels import Case, Record, alarms, read
from benchmarks.judge.runs import Job
from benchmarks.judge.tables import by_scenario, delays, markdown, told, truths_of

ABSENT = 'ADWIN is left out: the package river is absent (pip install "seedwatch[bench]")'
QUIET = "null_drift"  # the runs that set the lines


def _saved(job: Job) -> Path:
    return job.folder / f"{job.name}.rivals.npz"


def _prepare(job: Job) -> None:
    """Work the scores out again if a rival has joined since the run was made."""
    if not rivals.is_saved(_saved(job)):
        rivals.save(read(job.path("obs")), _saved(job))


def table(jobs: Sequence[Job], runs: Sequence[Record], at_once: int) -> str:
    """Each rival's delays and false alarms, the judge's first."""
    known = [
        (job, run)
        for job, run in zip(jobs, runs, strict=True)
        if job.scenario not in documented.cases()
    ]
    quiet = [(job, run) for job, run in known if job.scenario == QUIET]
    if not quiet:
        return f"No rivals: their lines are set on runs of {QUIET}, and there are none."
    with ProcessPoolExecutor(at_once) as pool:
        list(pool.map(_prepare, [job for job, _ in known]))
    years = sum(run["days"] for _, run in quiet) / 365
    most = max(1, round(jobs[0].rate * years))
    days = sum(run["days"] * run["providers"] for _, run in quiet)
    scenarios = list(by_scenario([run for _, run in known]))
    rows = [_row("the judge", scenarios, [run for _, run in known])]
    for name in rivals.RIVALS:
        line = rivals.line_for([_scores(job, run, name) for job, run in quiet], most)
        figures = [_figures(job, run, (name, line)) for job, run in known]
        rows.append(_row(f"{name}, line {line:.3g}", scenarios, figures))
    note = (
        f"The rivals' lines give at most {most} false alarms in the {len(quiet)} runs of {QUIET}"
        f" ({days:,.0f} provider-days): the rate that the judge was asked for. Hours are medians,"
        " found in brackets; behind them the false provider alarms a run."
    )
    absent = "" if "ADWIN (river)" in rivals.RIVALS else f"\n\n{ABSENT}"
    return f"{note}{absent}\n\n{markdown(['detector', *scenarios], rows)}"


def _scores(job: Job, run: Record, name: str) -> list[rivals.Told]:
    return rivals.load(_saved(job), run["providers"], name)


def _figures(job: Job, run: Record, rival: tuple[str, float]) -> Record:
    """The figures of a rival at its line, as the judge's own have them."""
    (name, line), kinds = rival, defaultdict[str, list[Record]](list)
    for record in read(job.path("truth")):
        kinds[record["type"]].append(record)
    known = alarms(rivals.events(_scores(job, run, name), line))
    found = kinds["cause"], kinds["nuisance"], kinds["broken"], known
    figures = score.worse_only(Case({}, run["days"], [], *found))
    return {"scenario": run["scenario"], "worse": figures}


def _row(name: str, scenarios: Sequence[str], runs: Sequence[Record]) -> list[str]:
    groups = by_scenario(runs)
    return [name, *(_cell(groups[scenario]) for scenario in scenarios)]


def _cell(runs: Sequence[Record]) -> str:
    truths = truths_of(runs)
    false = f"{sum(run['worse']['false'] for run in runs) / len(runs):.2f}"
    if not truths or not any(truth["found"] for truth in truths):
        return f"– / {false}" if not truths else f"never / {false}"
    found = sum(truth["found"] for truth in truths) / len(truths)
    hours = told(quantile(delays(truths), 0.5))
    return f"{hours} ({100 * found:.0f} %) / {false}"
