"""Where claimed jobs wait for a thread: huey, behind three verbs.

A queue carries (job id, attempt) and nothing else, as JSON: whoever can write to it can
start due work early, never run code. It may lose what it carries; the job rows make up
for that (see store/jobs.py).
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from huey import Huey
from huey.consumer import Consumer
from huey.exceptions import ConfigurationError
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import MemoryStorage, PostgresStorage, RedisStorage, SqliteStorage

from monitor.core.errors import BadInputError

# huey tells of every delivery; what matters of them, the worker tells by job.
logging.getLogger("huey").setLevel(logging.WARNING)

NAME = "seedwatch"
MEMORY = "memory"
FIRST_POLL_S = 0.02  # of an idle thread on SQLite; the other queues block
LAST_POLL_S = 0.5
READ_TIMEOUT_S = 1  # how long an idle thread blocks, and so how long stopping may take
STOP_WITHIN_S = 60.0  # a job that takes longer to end is left to its lease


class Queue:
    """Delivers what was put to threads of this process, or of others on the same queue."""

    def __init__(
        self, address: str, deliver: Callable[[int, int], None], *, threads: int = 4
    ) -> None:
        """Open the queue at *address*; *deliver* is called with job id and attempt.

        Raises:
            BadInputError: an address that we do not understand or cannot use.
        """
        self.is_shared = address != MEMORY
        self._threads = threads
        self._huey = _open(address)
        self._task = self._huey.task(name="run")(deliver)
        self._huey.on_shutdown(name="close")(self._close)  # runs in each thread
        self._closing = threading.Lock()
        self._consumer: Consumer | None = None

    def put(self, job_id: int, attempt: int) -> None:
        self._task(job_id, attempt)

    def start(self) -> None:
        """Start the threads."""
        if isinstance(self._huey.storage, _WakingMemory):
            self._huey.storage.open()
        self._consumer = _Consumer(
            self._huey,
            workers=self._threads,
            periodic=False,
            initial_delay=FIRST_POLL_S,
            max_delay=LAST_POLL_S,
            scheduler_interval=60,  # nothing is ever scheduled with huey
            shutdown_timeout=STOP_WITHIN_S,
        )
        self._consumer.start()

    def stop(self) -> None:
        """Let running jobs end, and stop the threads. What waits in memory is dropped."""
        if isinstance(self._huey.storage, _WakingMemory):
            self._huey.storage.shut()
        if self._consumer is not None:
            self._consumer.stop(graceful=True)
            self._consumer = None
        self._close()

    def _close(self) -> None:
        """Close the connections of this thread, and the one that the threads share."""
        with self._closing:  # huey's own close is not made for several threads
            self._huey.storage.close()


class _WakingMemory(MemoryStorage):  # type: ignore[misc] # huey has no types
    """A queue in memory whose threads wait for work instead of polling for it."""

    blocking = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._filled = threading.Condition(self._lock)
        self._is_shut = False

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        with self._filled:
            super().enqueue(data, priority)
            self._filled.notify()

    def dequeue(self) -> bytes | None:
        with self._filled:
            self._filled.wait_for(lambda: self._queue or self._is_shut, READ_TIMEOUT_S)
            data: bytes | None = super().dequeue()
            return data

    def open(self) -> None:
        """Let the threads have what comes."""
        with self._filled:
            self._is_shut = False

    def shut(self) -> None:
        """Drop what waits, and let the threads go."""
        with self._filled:
            self._is_shut = True
            self.flush_queue()
            self._filled.notify_all()


class _Json(Serializer):  # type: ignore[misc] # huey has no types
    """Messages as JSON: huey's own are pickles."""

    def _serialize(self, message: Message) -> bytes:
        return json.dumps([message.id, message.name, message.args]).encode()

    def _deserialize(self, data: bytes) -> Message:
        task_id, name, (job_id, attempt) = json.loads(data)
        return Message(id=task_id, name=name, args=(int(job_id), int(attempt)), kwargs={})


class _Consumer(Consumer):  # type: ignore[misc] # huey has no types
    """huey's threads, leaving the process's signals to those who own the process."""

    def _set_signal_handlers(self) -> None:
        pass


def _open(address: str) -> Huey:
    try:
        storage, options = _storage(address)
        return Huey(NAME, results=False, serializer=_Json(), storage_class=storage, **options)
    except ConfigurationError as error:  # the library that this queue needs is missing
        raise _bad(address, f"cannot be used: {error}") from None


def _storage(address: str) -> tuple[type, Mapping[str, Any]]:
    kind, _, rest = address.partition(":")
    match kind:
        case "memory" if address == MEMORY:
            return _WakingMemory, {}
        case "sqlite" if rest and Path(rest).parent.is_dir():
            return SqliteStorage, {"filename": rest}
        case "redis" | "rediss" | "unix":
            return RedisStorage, {"url": address, "read_timeout": READ_TIMEOUT_S}
        case "postgresql" | "postgresql+psycopg":
            return PostgresStorage, {"dsn": f"postgresql:{rest}", "read_timeout": READ_TIMEOUT_S}
        case _:
            raise _bad(address, "is not a queue that we know, or its directory does not exist")


def _bad(address: str, problem: str) -> BadInputError:
    return BadInputError(
        "worker.queue",
        address.partition(":")[0],  # the rest may hold a password
        problem,
        remedy='Write "memory", "sqlite:FILE", "redis://HOST:PORT/0" or "postgresql://HOST/NAME";'
        " Redis needs the extra seedwatch[redis], PostgreSQL seedwatch[postgresql].",
    )
