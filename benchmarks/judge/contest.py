"""The rivals on the judge's own runs, each with a line that gives the same false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.judge import documented, rivals, score
from benchmarks.judge.intervals import quantile
from benchmarks.judge.labels import Case, Record, alarms, read
from benchmarks.judge.runs import Job
from benchmarks.judge.tables import by_scenario, delays, markdown, told, truths_of

ABSENT = 'ADWIN is left out: the package river is absent (pip install "seedwatch[bench]")'
QUIET = "null_drift"  # the runs that set the lines


@dataclass(frozen=True, slots=True)
class Played:
    """One run and every rival's scores in it."""

    run: Record
    truth: list[Record]
    scores: dict[str, list[rivals.Told]]


def played(job: Job, run: Record) -> Played:
    """Load a run's scores; they are worked out again if a rival has joined since."""
    path = job.folder / f"{job.name}.rivals.npz"
    names = [f"p{number}" for number in range(run["providers"])]
    kept = rivals.load(path, names) if path.exists() else {}
    if not kept.keys() >= rivals.RIVALS.keys():
        rivals.save(read(job.path("obs")), path)
        kept = rivals.load(path, names)
    return Played(run, read(job.path("truth")), kept)


def table(jobs: Sequence[Job], runs: Sequence[Record]) -> str:
    """Each rival's delays and false alarms, the judge's first."""
    known = [
        played(job, run)
        for job, run in zip(jobs, runs, strict=True)
        if job.scenario not in documented.cases()
    ]
    quiet = [one for one in known if one.run["scenario"] == QUIET]
    if not quiet:
        return f"No rivals: their lines are set on runs of {QUIET}, and there are none."
    years = sum(one.run["days"] for one in quiet) / 365
    most = max(1, round(jobs[0].rate * years))
    days = sum(one.run["days"] * one.run["providers"] for one in quiet)
    scenarios = list(by_scenario([one.run for one in known]))
    rows = [_row("the judge", scenarios, [one.run for one in known])]
    for name in rivals.RIVALS:
        line = rivals.line_for([one.scores[name] for one in quiet], most)
        rows.append(
            _row(f"{name}, line {line:.3g}", scenarios, [_run(o, name, line) for o in known])
        )
    note = (
        f"The rivals' lines give at most {most} false alarms in the {len(quiet)} runs of {QUIET}"
        f" ({days:,.0f} provider-days): the rate that the judge was asked for. Hours are medians,"
        " found in brackets; behind them the false provider alarms a run."
    )
    absent = "" if "ADWIN (river)" in rivals.RIVALS else f"\n\n{ABSENT}"
    return f"{note}{absent}\n\n{markdown(['detector', *scenarios], rows)}"


def _run(one: Played, name: str, line: float) -> Record:
    """The figures of a rival, as the judge's own have them."""
    kinds: dict[str, list[Record]] = {"cause": [], "nuisance": [], "broken": [], "run": []}
    for record in one.truth:
        kinds[record["type"]].append(record)
    known = alarms(rivals.events(one.scores[name], line))
    found = kinds["cause"], kinds["nuisance"], kinds["broken"], known
    figures = score.worse_only(Case({}, one.run["days"], [], *found))
    return {"scenario": one.run["scenario"], "worse": figures}


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
