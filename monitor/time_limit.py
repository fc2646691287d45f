"""Cuts off HTTP requests that take too long, whichever part of them is slow."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class TimeLimit:
    """Cuts the connections of a talk once the time of a request is over.

    The time-outs of a socket begin anew with each byte, so that an answer may drip for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self.is_over = False

    def __enter__(self) -> "TimeLimit":
        return self

    def __exit__(self, *_: object) -> None:
        self._cut()

    @contextmanager
    def of(self, seconds: float) -> Iterator[None]:
        """Give what is done within the block so long."""
        self.is_over = False
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def watch(self, connection: socket.socket) -> socket.socket:
        """Cut this one, too: a duplicate of it, as its owner may wrap it."""
        with self._lock:
            if self.is_over:
                connection.close()
                raise TimeoutError
            self._open.append(connection.dup())
        return connection

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            self._open.clear()


class WatchingAdapter(HTTPAdapter):
    """Has every new connection of its own watched."""

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        super().__init__()

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]
        limit = self._limit

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return limit.watch(super()._new_conn())

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return limit.watch(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
