"""An IMAP client that hides nothing."""

import socket


class BareImap:
    """Speaks IMAP as bytes, so that a test sees exactly what the server says."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self._socket.makefile("rb")
        self.greeting = self._file.readline()
        self._count = 0

    def __enter__(self) -> "BareImap":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def line(self) -> bytes:
        """One line of the reply, with the literals in it."""
        line = self._file.readline()
        while line.endswith(b"}\r\n") and (size := line.rpartition(b"{")[2][:-3]).isdigit():
            line += self._file.read(int(size)) + self._file.readline()
        return line

    def until(self, tag: bytes) -> list[bytes]:
        lines = []
        while line := self.line():
            lines.append(line)
            if line.startswith(tag + b" "):
                break
        return lines

    def run(self, command: bytes, literal: bytes | None = None) -> list[bytes]:
        """Send one command, its literal when asked for it; return all lines of the reply."""
        self._count += 1
        tag = b"t%d" % self._count
        if literal is None:
            self.send(b"%s %s\r\n" % (tag, command))
            return self.until(tag)
        self.send(b"%s %s {%d}\r\n" % (tag, command, len(literal)))
        answer = self.line()
        if not answer.startswith(b"+"):
            return [answer]
        self.send(literal + b"\r\n")
        return self.until(tag)
