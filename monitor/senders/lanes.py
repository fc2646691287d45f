"""One server: what is to go there, and over which connections."""

from collections import deque
from dataclasses import replace

from monitor.core.campaigns import Letter, Outcome
from monitor.core.seeds import Endpoint
from monitor.senders.dialogue import Ended
from monitor.senders.transaction import Line, Result
from monitor.senders.wires import Wire


class Lane:
    """The letters for one server, its connections, and what is known of it.

    Args:
        most: connections at a time; less once the server has refused one more.
    """

    def __init__(self, server: Endpoint, most: int) -> None:
        self.server = server
        self.most = most
        self.queue: deque[tuple[int, Letter]] = deque()
        self.wires: list[Wire] = []
        self.down: Result | None = None  # how every further letter ends

    @property
    def missing(self) -> int:
        """How many more connections the letters in the queue could use."""
        if self.down is not None:
            return 0
        idle = sum(wire.dialogue.in_flight == 0 for wire in self.wires)
        return max(0, min(self.most - len(self.wires), len(self.queue) - idle))

    @property
    def is_idle(self) -> bool:
        return not self.queue and not any(wire.dialogue.in_flight for wire in self.wires)

    def load(self) -> None:
        """Give letters to the connections, evenly."""
        while self.queue and self.wires:
            wire = max(self.wires, key=lambda one: one.dialogue.room)
            if wire.dialogue.room <= 0:
                return
            wire.begin(*self.queue.popleft())

    def note(self, wire: Wire, ended: list[Ended]) -> dict[int, Result]:
        """Take what ended on *wire*; return the results that are final, by ticket.

        A letter that a server did not touch, because it ended a connection that had
        served, goes back to the queue: each connection carries one letter at least, so
        that this comes to an end.
        """
        final: dict[int, Result] = {}
        again: list[tuple[int, Letter]] = []
        for ticket, letter, result in ended:
            if result.line is Line.LOST and not result.was_begun and wire.has_served:
                again.append((ticket, letter))
            else:
                final[ticket] = _with_note(result, wire.note)
            if result.line is Line.SILENT:
                problem = f"{self.server} stopped answering at an earlier letter"
                self.down = Result(Outcome.FAILED, problem=problem)
        self.queue.extendleft(reversed(again))
        return final

    def give_up(self) -> dict[int, Result]:
        """If the server is down for us, end what is in the queue so."""
        if self.down is None:
            return {}
        final = {ticket: self.down for ticket, _ in self.queue}
        self.queue.clear()
        return final


def _with_note(result: Result, note: str) -> Result:
    if not note:
        return result
    return replace(result, problem="; ".join(part for part in (result.problem, note) if part))
