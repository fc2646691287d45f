"""The dashboard's web server: a port is held first, pages are served on it later."""

import logging
import socket
import threading

from flask import Flask
from waitress.server import create_server

from monitor.core.errors import BadInputError

# It warns of every request that waits a moment for a thread.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)

THREADS = 8
MAX_BODY = 2 * 1024 * 1024  # of a request: more is refused before it is taken in
END_WITHIN_S = 2.0  # browsers keep connections open, which nobody waits for


class Listening:
    """A port of this machine, ours from the making of this object until `close`.

    Args:
        field: how the user calls the port, in errors.
    Raises:
        BadInputError: the port cannot be used.
    """

    def __init__(self, host: str, port: int, *, field: str, remedy: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            reason = str(error.strerror).partition(" (while")[0]
            problem = f"cannot be used ({reason})"
            raise BadInputError(field, str(port), problem, remedy=remedy) from error
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        self._thread: threading.Thread | None = None

    def serve(self, app: Flask) -> None:
        """Answer with the pages of *app*, in a thread of its own."""
        self._server = create_server(
            app, sockets=[self._socket], threads=THREADS, max_request_body_size=MAX_BODY
        )
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests, and give the port back. Doing it twice is harmless."""
        thread, self._thread = self._thread, None
        if thread is None:
            self._socket.close()
            return
        # In its own thread: the loop would stumble over a socket that vanishes under it.
        self._server.trigger.pull_trigger(self._server.close)
        thread.join(END_WITHIN_S)
