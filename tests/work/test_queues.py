"""The queue between dispatcher and threads."""

import json
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from monitor.core.errors import BadInputError
from monitor.queues import Queue

WAIT_S = 20.0


class Inbox:
    """Where the threads deliver."""

    def __init__(self, expected: int) -> None:
        self.got: list[tuple[int, int]] = []
        self._expected = expected
        self._changed = threading.Condition()

    def deliver(self, job_id: int, attempt: int) -> None:
        with self._changed:
            self.got.append((job_id, attempt))
            self._changed.notify_all()

    def fills(self, count: int = 0) -> bool:
        """Wait for *count* deliveries, or for all that are expected."""
        with self._changed:
            enough = count or self._expected
            return self._changed.wait_for(lambda: len(self.got) >= enough, WAIT_S)


def carry(address: str) -> None:
    """Put a hundred, start, and see them all delivered, once each."""
    inbox = Inbox(100)
    queue = Queue(address, inbox.deliver)
    queue.start()
    try:
        for number in range(100):
            queue.put(number, number + 1)
        assert inbox.fills()
    finally:
        queue.stop()
    assert sorted(inbox.got) == [(number, number + 1) for number in range(100)]


def test_memory_carries_everything() -> None:
    carry("memory")


def test_a_file_carries_everything(tmp_path: Path) -> None:
    carry(f"sqlite:{tmp_path / 'queue.db'}")


@pytest.mark.real
def test_redis_carries_everything(redis: str) -> None:
    carry(redis)


@pytest.mark.real
def test_postgresql_carries_everything(postgresql: str) -> None:
    carry(postgresql)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_queue_can_be_started_again(tmp_path: Path, kind: str) -> None:
    inbox = Inbox(2)
    queue = Queue(kind if kind == "memory" else f"sqlite:{tmp_path / 'q.db'}", inbox.deliver)
    for number in range(2):
        queue.start()
        queue.put(number, 1)
        assert inbox.fills(number + 1)
        queue.stop()
    assert inbox.got == [(0, 1), (1, 1)]


def test_one_process_takes_what_another_put(tmp_path: Path) -> None:
    address, inbox = f"sqlite:{tmp_path / 'queue.db'}", Inbox(1)
    here, there = Queue(address, Inbox(1).deliver), Queue(address, inbox.deliver)
    here.put(7, 1)
    there.start()
    assert inbox.fills()
    there.stop()
    here.stop()
    assert inbox.got == [(7, 1)]


def test_stopping_drops_what_waits_in_memory() -> None:
    began, may_end = threading.Event(), threading.Event()
    got = []

    def deliver(job_id: int, _attempt: int) -> None:
        got.append(job_id)
        began.set()
        may_end.wait(WAIT_S)

    queue = Queue("memory", deliver, threads=1)
    queue.start()
    for number in range(10):
        queue.put(number, 1)
    assert began.wait(WAIT_S)
    threading.Timer(0.05, may_end.set).start()
    queue.stop()
    assert got == [0]


def test_messages_are_json_and_hold_two_numbers(tmp_path: Path) -> None:
    """Pickles would let whoever can write to the queue run code."""
    queue = Queue(f"sqlite:{tmp_path / 'queue.db'}", Inbox(1).deliver)
    queue.put(7, 2)
    queue.stop()
    with closing(sqlite3.connect(tmp_path / "queue.db")) as connection:
        ((raw,),) = connection.execute("SELECT data FROM task").fetchall()
    assert json.loads(raw)[2] == [7, 2]


@pytest.mark.parametrize(
    "raw", [b"", b"\x80\x04N.", b"nonsense", b"[]", b'["a", "b", ["x", "y"]]', b"[1, 2, 3]", b"{}"]
)
def test_foreign_messages_are_dropped_and_the_next_one_runs(tmp_path: Path, raw: bytes) -> None:
    inbox = Inbox(1)
    queue = Queue(f"sqlite:{tmp_path / 'queue.db'}", inbox.deliver, threads=1)
    with closing(sqlite3.connect(tmp_path / "queue.db")) as connection, connection:
        connection.execute("INSERT INTO task (queue, data) VALUES ('seedwatch', ?)", (raw,))
    queue.put(7, 1)
    queue.start()
    assert inbox.fills()
    queue.stop()
    assert inbox.got == [(7, 1)]


def test_the_process_keeps_its_own_signal_handlers() -> None:
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    queue = Queue("memory", Inbox(1).deliver)
    queue.start()
    after = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    queue.stop()
    assert before == after


@pytest.mark.parametrize(
    "address",
    ["", "Memory", "memory:", "sqlite:", "sqlite:/nowhere/at/all/q.db", "amqp://u:hunter2@x"],
)
def test_an_address_that_we_do_not_know_is_refused(address: str) -> None:
    with pytest.raises(BadInputError, match=r"worker\.queue") as caught:
        Queue(address, Inbox(1).deliver)
    assert "hunter2" not in str(caught.value)
