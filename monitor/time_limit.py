"""Cuts off HTTP requests that take too long, whichever part of them is slow."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class TimeLimit:
    """Cuts connections once the time of a request is over. For one request at a time.

    The time-outs of a socket begin anew with each byte, so that an answer may drip for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], socket.socket] = {}  # by server; a kept one is watched on
        self._request = 0
        self.is_over = False

    def __enter__(self) -> "TimeLimit":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def of(self, seconds: float) -> Iterator[None]:
        """Give what is done within the block so long."""
        with self._lock:
            self.is_over = False
            self._request += 1
        timer = threading.Timer(seconds, self._cut, (self._request,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._request += 1  # a timer that is about to run comes too late

    def watch(self, connection: socket.socket, server: tuple[str, int]) -> socket.socket:
        """Cut this one, too, in place of the one before to the same host and port.

        A duplicate of it is kept, as its owner may wrap it in TLS.

        Raises:
            TimeoutError: the time is over.
        """
        with self._lock:
            if self.is_over:
                connection.close()
                raise TimeoutError
            before = self._open.pop(server, None)
            if before is not None:
                before.close()
            self._open[server] = connection.dup()
        return connection

    def close(self) -> None:
        """Let go of all connections; they end with their owners."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _cut(self, request: int) -> None:
        with self._lock:
            if request != self._request:
                return
            self.is_over = True
            for connection in self._open.values():
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._forget()


class WatchingAdapter(HTTPAdapter):
    """Has every new connection of its own watched, and repeats nothing by itself."""

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]
        limit = self._limit

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return limit.watch(super()._new_conn(), (self.host, self.port))

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return limit.watch(super()._new_conn(), (self.host, self.port))

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
