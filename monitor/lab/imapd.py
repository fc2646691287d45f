"""Our IMAP server: one connection after another, command by command."""

import asyncio
import base64
import binascii

from monitor.lab.connections import Connections
from monitor.lab.imap_commands import answer, one_line, sign_in
from monitor.lab.imap_faults import check, connect, wall_wait_s
from monitor.lab.imap_parse import (
    BadCommandError,
    Command,
    RefusedError,
    parse_command,
    tag_of,
)
from monitor.lab.imap_session import DroppedError, Session
from monitor.lab.imap_wire import TooLongError, Wire
from monitor.lab.providers import Profile
from monitor.lab.world import World

IDLE_CHECK_S = 0.2  # how soon an idling client hears of what lab time brought
MAX_LINE = 8192


class Connection:
    """One client. The session is touched only under the world's lock."""

    def __init__(self, world: World, profile: Profile, wire: Wire) -> None:
        self._world = world
        self._wire = wire
        self._session = Session(world, profile)

    async def run(self) -> None:
        try:
            await self._greet()
            await self._talk()
        except (DroppedError, EOFError, ConnectionError):
            return
        except asyncio.CancelledError:  # the lab ends; asyncio would log it as a failure
            return
        finally:
            with self._world.lock:
                self._session.end()
            self._wire.close()

    async def _talk(self) -> None:
        try:
            while not self._session.is_over:
                await self._one_command()
        except TooLongError:
            await self._wire.write(b"* BYE Command too long\r\n")

    async def _greet(self) -> None:
        with self._world.lock:
            self._world.settle()
            connect(self._session)
            caps, greeting = self._session.capabilities, self._session.profile.greeting
        await self._wire.write(f"* OK [CAPABILITY {caps}] {greeting}\r\n".encode("ascii"))

    async def _one_command(self) -> None:
        raw = await self._wire.read_command(signed_in=self._session.mailbox is not None)
        try:
            command = parse_command(raw)
        except BadCommandError as error:
            await self._wire.write(b"%s BAD %s\r\n" % (tag_of(raw), one_line(error)))
            return
        with self._world.lock:
            self._world.counters[self._session.profile.id].imap_commands += 1
            wait_s = wall_wait_s(self._session)
        if wait_s:
            await asyncio.sleep(wait_s)
        if command.name == "IDLE":
            await self._idle(command)
        elif command.name == "AUTHENTICATE":
            await self._authenticate(command)
        else:
            with self._world.lock:
                self._world.settle()
                reply = answer(self._session, command)
            await self._wire.write(reply)

    async def _authenticate(self, command: Command) -> None:
        """AUTHENTICATE PLAIN (RFC 4616), its response at once (RFC 4959) or when asked for."""
        words = command.rest.split()
        if not words or words[0].upper() != b"PLAIN" or len(words) > 2:
            await self._wire.write(command.tag + b" NO [CANNOT] Unsupported mechanism\r\n")
            return
        if len(words) == 2:
            response = words[1]
        else:
            await self._wire.write(b"+ \r\n")
            response = (await self._wire.read_line(MAX_LINE)).strip()
        try:
            parts = base64.b64decode(response, validate=True).split(b"\x00")
        except binascii.Error:
            parts = []
        if len(parts) != 3:
            await self._wire.write(command.tag + b" BAD Invalid SASL response\r\n")
            return
        with self._world.lock:
            self._world.settle()
            reply = self._finish_login(command, parts[1], parts[2])
        await self._wire.write(reply)

    def _finish_login(self, command: Command, address: bytes, password: bytes) -> bytes:
        try:
            check(self._session, command)
            text = sign_in(self._session, address, password)
        except BadCommandError as error:
            return command.tag + b" BAD " + one_line(error) + b"\r\n"
        except RefusedError as error:
            return command.tag + b" NO " + one_line(error) + b"\r\n"
        return command.tag + b" OK " + text.encode() + b"\r\n"

    async def _idle(self, command: Command) -> None:
        """IDLE (RFC 2177): tell of changes until the client says DONE."""
        with self._world.lock:
            is_open = self._session.selected is not None
        if not is_open:
            await self._wire.write(command.tag + b" BAD No mailbox selected\r\n")
            return
        await self._wire.write(b"+ idling\r\n")
        done = asyncio.ensure_future(self._wire.read_line(MAX_LINE))
        try:
            while not done.done():
                await self._wire.write(self._news())
                await asyncio.wait({done}, timeout=IDLE_CHECK_S)
        finally:
            done.cancel()
        word = done.result().strip().upper()
        text = b" OK Idle completed.\r\n" if word == b"DONE" else b" BAD Expected DONE\r\n"
        await self._wire.write(command.tag + text)

    def _news(self) -> bytes:
        with self._world.lock:
            self._world.settle()
            connect(self._session)
            self._session.sync()
            return self._session.take()


async def serve_imap(
    world: World, profile: Profile, connections: Connections, host: str
) -> asyncio.Server:
    """Listen on a port that the kernel picks."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer.transport)
        counters = world.counters[profile.id]
        counters.imap_connections += 1

        def count_wait() -> None:
            counters.imap_round_trips += 1

        wire = Wire(reader, writer, count_wait)
        await Connection(world, profile, wire).run()

    return await asyncio.start_server(client, host, 0)
