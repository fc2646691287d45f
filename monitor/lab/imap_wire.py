"""Bytes between an IMAP client and us: commands with their literals, bounded."""

import asyncio
import re
from collections.abc import Callable

CHUNK = 64 * 1024
MAX_LINE = 64 * 1024
MAX_LITERAL = 64 * 1024 * 1024
MAX_LITERAL_BEFORE_LOGIN = 8 * 1024
LITERAL_AT_END = re.compile(rb"\{(\d{1,10})(\+?)\}\r?\n$")


class TooLongError(Exception):
    """The client sent more than we hold for it."""


class Wire:
    """One connection's bytes. Counts how often we had to wait for the client to speak."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_wait: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_wait = on_wait
        self._buffer = bytearray()

    async def write(self, data: bytes) -> None:
        if data:
            self._writer.write(data)
            await self._writer.drain()

    def close(self) -> None:
        self._writer.close()

    async def read_command(self, *, signed_in: bool) -> bytes:
        """Return one command with its literals in place, as the client sent it.

        Raises:
            TooLongError: a line or literal beyond the limit.
            EOFError: the client is gone.
        """
        if not self._buffer:
            self._on_wait()
        limit = MAX_LITERAL if signed_in else MAX_LITERAL_BEFORE_LOGIN
        pieces = [await self.read_line(MAX_LINE)]
        while literal := LITERAL_AT_END.search(pieces[-1]):
            size = int(literal[1])
            limit -= size
            if limit < 0:
                raise TooLongError
            if not literal[2]:
                self._on_wait()
                await self.write(b"+ OK\r\n")
            pieces.append(await self._read_exactly(size))
            pieces.append(await self.read_line(MAX_LINE))
        return b"".join(pieces)

    async def read_line(self, limit: int) -> bytes:
        """Return one line with its end."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > limit:
                raise TooLongError
            await self._fill()
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    async def _read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _fill(self) -> None:
        chunk = await self._reader.read(CHUNK)
        if not chunk:
            raise EOFError
        self._buffer += chunk
