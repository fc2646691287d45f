"""Bounds the time of a whole HTTP request, its answer included."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Watch:
    """Cuts a connection when a request takes too long, however slowly bytes drip in.

    The library's own time limit begins anew with each packet.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._request = 0
        self.is_over = False

    def add(self, connection: socket.socket) -> socket.socket:
        """Watch a new connection in place of the one before; a duplicate, as TLS wraps it.

        Raises:
            TimeoutError: the time is over.
        """
        with self._lock:
            if self.is_over:
                connection.close()
                raise TimeoutError
            self._forget()
            self._connection = connection.dup()
        return connection

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Give the block so many seconds."""
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

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _cut(self, request: int) -> None:
        with self._lock:
            if request != self._request:
                return
            self.is_over = True
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)


class WatchedAdapter(HTTPAdapter):
    """Has every new connection watched, and repeats nothing by itself."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]
        watch = self._watch

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return watch.add(super()._new_conn())

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return watch.add(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
