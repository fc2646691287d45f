"""The parent's side of test_kill_line.py: orders for a worker, and the deaths that await it."""

import json
import os
import random
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

CHILD = Path(__file__).parent / "kill_child.py"
PATIENCE_S = 60.0
SHOT_WITHIN_S = 0.1  # of the wall clock, after an order

AROUND = ("begun", "about to commit", "committed")
HANDING_OVER = ("about to hand over", "handed over")
MOMENTS = {
    "worker": ("about to commit", "committed"),  # claiming work, and beginning it
    "start": AROUND,
    "send": (*AROUND, *HANDING_OVER),
    "look": (*AROUND, "about to look", "looked"),
    "observe": AROUND,
    "judge": AROUND,
    "warn": AROUND,
    "tell": (*AROUND, *HANDING_OVER),
    "pass_time": AROUND,
}
RARE = {"judge", "warn", "tell", "pass_time"}  # they come when they come


@dataclass(frozen=True)
class Doom:
    """A death to come: at which moment of the work, not before when, surviving how many."""

    moment: str
    after: datetime
    survives: int


def dooms(rng: random.Random, start: datetime, span: timedelta) -> list[Doom]:
    """One death at each moment of each kind of work, spread over *span*."""
    made = []
    for kind, moments in MOMENTS.items():
        for moment in moments:
            after = start if kind in RARE else start + span * rng.random()
            survives = 0 if kind in RARE else rng.randint(0, 6)
            made.append(Doom(f"{kind}: {moment}", after, survives))
    return made


class Worker:
    """A worker process, and what became of its forerunners.

    Args:
        args: of kill_child.py.
        log: takes what the workers write to their standard error.
    """

    def __init__(
        self, args: Sequence[str], log: Path, plan: list[Doom], rng: random.Random
    ) -> None:
        self.plan = plan
        self.deaths: list[str] = []  # of the plan
        self.beside: Counter[str] = Counter()  # what the other threads had passed last
        self.shots = 0  # deaths at a random time
        self._rng = rng
        self._orders = 0
        self._is_shot = False
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(CHILD), *args],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                start_new_session=True,  # so that a worker that hangs dies with it
            )
        self._pid = self._hear()["begun"]

    def work_until(self, moment: datetime, *, shoot: bool = False) -> None:
        """Have all done that is due by *moment*, however many workers that takes.

        Args:
            shoot: kill the first of them from outside, at a random time.
        """
        while not self._obeyed(moment, shoot=shoot):
            self._pid = self._hear()["begun"]
            shoot = False

    def end(self) -> int:
        """Let the last worker go; return its exit status."""
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                return self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                raise

    def _obeyed(self, moment: datetime, *, shoot: bool) -> bool:
        """Give one order; False if the worker died over it."""
        self._order(moment)
        if shoot and not self._speaks_within(self._rng.uniform(0, SHOT_WITHIN_S)):
            self._shoot()
        while "died" not in (news := self._hear()):
            if news.get("done") == self._orders:
                return True
            if "dies" in news:
                self._is_shot = False
                self.plan = [doom for doom in self.plan if doom.moment != news["dies"]]
                self.deaths.append(news["dies"])
                self.beside.update(news["others"])
        assert news["died"] == signal.SIGKILL
        self.shots += self._is_shot
        self._is_shot = False
        return False

    def _order(self, moment: datetime) -> None:
        self._orders += 1
        armed = {doom.moment: doom.survives for doom in self.plan if doom.after <= moment}
        order = {"number": self._orders, "until": moment.isoformat(), "doom": armed}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def _shoot(self) -> None:
        with suppress(ProcessLookupError):  # it has died of itself
            os.kill(self._pid, signal.SIGKILL)
            self._is_shot = True

    def _speaks_within(self, seconds: float) -> bool:
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._speaks_within(PATIENCE_S), "the worker hangs"
        line = self._process.stdout.readline()
        assert line, "the worker ended by itself"
        heard: dict[str, Any] = json.loads(line)
        return heard
