"""The report of a benchmark: all its tables, with the commit and the seeds they are of."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.judge import contest, score, tables
from benchmarks.judge.labels import Record
from benchmarks.judge.runs import Job


def report(
    jobs: Sequence[Job],
    runs: Sequence[Record],
    having: Sequence[Record],
    *,
    failed: int,
    rivals_at_once: int,
    replayed: dict[str, Any],
) -> str:
    """All tables as Markdown.

    Args:
        failed: runs that have no figures.
        having: figures of runs with control senders.
        rivals_at_once: processes for the rivals; 0 leaves them out.
        replayed: what `replay` of here has found.
    """
    seeds = sorted({run["seed"] for run in [*runs, *having]})
    asked = 365 * 6 / jobs[0].rate
    lost = f"{failed} runs FAILED and are left out. " if failed else ""
    about = (
        f"{lost}Commit {commit()}; {len(runs) + len(having)} runs, seeds {seeds[0]} to {seeds[-1]};"
        f" asked for one false provider alarm in {asked:,.0f} provider-days. In brackets: 95 %"
        " intervals (bootstrap of medians and percentiles, Wilson of shares, exact Poisson of"
        " counts). What was not found took for ever. The genie was told the scenario; it stops"
        " at 9.9 nats."
    )
    parts = [
        ("Found, and how soon", tables.detection(runs)),
        ("Said, and not so", tables.alarms(runs)),
        ("How sure, and how right", tables.reliability([*runs, *having])),
        ("Incidents of the past", tables.of_the_past(runs)),
    ]
    if having:
        parts.append(("Senders of one's own", tables.controls(runs, having)))
    if rivals_at_once:
        parts.append(("Rivals", contest.table(jobs, runs, rivals_at_once)))
    parts.append(("Cost", tables.speed(runs, replayed)))
    plain = score.show(score.table(runs))
    parts.append(("As the score prints it", f"```\n{plain}\n```"))
    text = [about, *(f"### {head}\n\n{body}" for head, body in parts)]
    return "\n\n".join(text) + "\n"


def commit() -> str:
    """The commit of this checkout, and whether it has been changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def replay(observations: Path) -> dict[str, Any]:
    """Seconds and peak memory of `seedwatch replay` of one run, in a process of its own."""
    command = [sys.executable, "-m", "monitor", "replay", str(observations), "--out", os.devnull]
    child = subprocess.Popen(command)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        return {}
    return {"seconds": used.ru_utime + used.ru_stime, "peak_kb": used.ru_maxrss}
