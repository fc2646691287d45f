"""The open connections of the lab, so that stopping it leaves none behind."""

import asyncio
from weakref import WeakSet

Abortable = asyncio.WriteTransport | asyncio.DatagramTransport
ROUNDS = 100  # turns of the loop in which an aborted transport must have closed


class Connections:
    """Transports in use. Lives in the lab's loop."""

    def __init__(self) -> None:
        self._transports: WeakSet[Abortable] = WeakSet()

    def add(self, transport: Abortable) -> None:
        self._transports.add(transport)

    async def close(self) -> None:
        """Abort all, and let the loop tell their owners."""
        for transport in tuple(self._transports):
            transport.abort()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
