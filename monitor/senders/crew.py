"""Several letters at once, over several connections to several servers."""

import selectors
import smtplib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from monitor.core.campaigns import Letter, Outcome
from monitor.core.errors import TransportRefusedError
from monitor.core.seeds import Endpoint
from monitor.senders.lanes import Lane
from monitor.senders.replies import read_reply
from monitor.senders.transaction import Result, judge
from monitor.senders.wires import Wire, part

MAX_OPEN: Final = 20  # connections kept at a time, when mail goes to many servers
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

Connect = Callable[[Endpoint], Wire]


class Errand(NamedTuple):
    """One letter, its number within the call, and its server or why there is none."""

    ticket: int
    place: Endpoint | str
    letter: Letter


class Crew:
    """Kept connections to any number of servers, worked by one thread.

    Args:
        connect: opens a connection, or raises as `connections.connect` does.
        most: connections to one server at a time.
    """

    def __init__(self, connect: Connect, *, most: int) -> None:
        self._connect = connect
        self._most = most
        self._lanes: dict[Endpoint, Lane] = {}
        self._selector = selectors.DefaultSelector()

    def open(self, server: Endpoint) -> None:
        """Connect to *server* ahead of the first letter, if it can be reached.

        Raises:
            TransportRefusedError: it refuses us.
        """
        lane = self._lane(server)
        wire = self._try(server)
        if isinstance(wire, TransportRefusedError):
            raise wire
        self._add(lane, wire)
        for one in lane.wires:
            one.has_served = True  # it may be ended before we come back with a letter

    def run(self, errands: Sequence[Errand], *, is_only_server: bool) -> dict[int, Result]:
        """Hand all over; return the result of each errand, by its ticket.

        Raises:
            TransportRefusedError: `is_only_server`, it refuses us, and nothing was begun.
        """
        results = {
            ticket: Result(Outcome.FAILED, problem=place)
            for ticket, place, _ in errands
            if isinstance(place, str)
        }
        unsendable = len(results)
        lanes = self._queue(errands)
        while len(results) < len(errands):
            self._drop_ended(lanes)
            may_raise = is_only_server and len(results) == unsendable
            self._open_missing(lanes, may_raise=may_raise)
            for lane in lanes:
                results |= lane.give_up()
                lane.load()
            self._exchange(lanes, results)
        return results

    def close(self) -> None:
        """End all connections; letters that were not handed over stay where they are."""
        for lane in self._lanes.values():
            lane.queue.clear()
            self._end(lane, list(lane.wires))
        self._selector.close()

    def _lane(self, server: Endpoint) -> Lane:
        return self._lanes.setdefault(server, Lane(server, self._most))

    def _queue(self, errands: Sequence[Errand]) -> list[Lane]:
        busy: dict[Endpoint, Lane] = {}
        for ticket, place, letter in errands:
            if isinstance(place, Endpoint):
                lane = busy.setdefault(place, self._lane(place))
                lane.queue.append((ticket, letter))
        return list(busy.values())

    def _exchange(self, lanes: Iterable[Lane], results: dict[int, Result]) -> None:
        """Send and read what can be now; wait until something can."""
        in_flight: list[tuple[Lane, Wire]] = []
        for lane in lanes:
            for wire in lane.wires:
                results |= lane.note(wire, wire.write())
                self._watch(lane, wire)
                if wire.dialogue.in_flight:
                    in_flight.append((lane, wire))
        if not in_flight:
            return
        left = max(0.0, min(wire.seconds_left for _, wire in in_flight))
        ready = [key.data for key, mask in self._selector.select(left) if mask & _READ]
        for lane, wire in ready:
            results |= lane.note(wire, wire.read())
        for lane, wire in in_flight:
            if wire.dialogue.in_flight and wire.seconds_left <= 0:
                results |= lane.note(wire, wire.overdue())
        self._end_those_over(in_flight + ready)

    def _end_those_over(self, wires: Iterable[tuple[Lane, Wire]]) -> None:
        for lane, wire in wires:
            if wire.dialogue.is_over and wire in lane.wires:
                self._end(lane, [wire])

    def _watch(self, lane: Lane, wire: Wire) -> None:
        """Wait for room in the socket only while there is something to be sent."""
        mask = _READ | _WRITE if wire.wants_to_write else _READ
        if self._selector.get_key(wire).events != mask:
            self._selector.modify(wire, mask, (lane, wire))

    def _drop_ended(self, lanes: Iterable[Lane]) -> None:
        """A server may have ended a connection that was idle; nothing was lost by that."""
        idle = [(lane, one) for lane in lanes for one in lane.wires if not one.dialogue.in_flight]
        for _, wire in idle:
            wire.read()
        self._end_those_over(idle)

    def _open_missing(self, lanes: Sequence[Lane], *, may_raise: bool) -> None:
        """Connect: to a server that we know nothing of once, then as often as is of use."""
        first = [lane for lane in lanes if lane.missing and not lane.wires]
        self._open_all(self._affordable(first), may_raise=may_raise)
        more = [lane for lane in lanes if lane.wires for _ in range(lane.missing)]
        self._open_all(self._affordable(more), may_raise=False)

    def _affordable(self, wanted: list[Lane]) -> list[Lane]:
        """Cut *wanted* to the connections that we may still open, closing idle ones."""
        if not wanted:
            return wanted
        limit = max(MAX_OPEN, self._most)
        for lane in self._lanes.values():
            count = sum(len(one.wires) for one in self._lanes.values())
            if count + len(wanted) > limit and lane.is_idle:
                self._end(lane, list(lane.wires))
        count = sum(len(one.wires) for one in self._lanes.values())
        return wanted[: max(0, limit - count)]

    def _open_all(self, wanted: list[Lane], *, may_raise: bool) -> None:
        servers = [lane.server for lane in wanted]
        if len(servers) < 2:
            tried = [self._try(server) for server in servers]
        else:  # each takes some round trips
            with ThreadPoolExecutor(len(servers)) as pool:
                tried = list(pool.map(self._try, servers))
        for lane, wire in zip(wanted, tried, strict=True):
            if may_raise and isinstance(wire, TransportRefusedError):
                raise wire
            self._add(lane, wire)

    def _try(self, server: Endpoint) -> Wire | Result | TransportRefusedError:
        """Return a connection, or why there is none."""
        try:
            return self._connect(server)
        except TransportRefusedError as error:
            return error
        except smtplib.SMTPResponseException as error:
            return judge(read_reply(error.smtp_code, error.smtp_error), is_of_server=True)
        except (OSError, UnicodeError) as error:  # UnicodeError: the host name is none
            return Result(Outcome.FAILED, problem=f"cannot reach {server}: {error}")

    def _add(self, lane: Lane, wire: Wire | Result | TransportRefusedError) -> None:
        """Put a connection to use, or learn from its failure.

        A server that could not be used is not tried again by this crew: each letter would
        wait for it once more. One that lets us in, but not as often as we would like, is
        used as often as it does.
        """
        if isinstance(wire, Wire):
            lane.wires.append(wire)
            self._selector.register(wire, _READ, (lane, wire))
        elif lane.wires:
            lane.most = len(lane.wires)
        elif isinstance(wire, Result):
            lane.down = wire
        else:
            lane.down = Result(Outcome.FAILED, problem=str(wire))

    def _end(self, lane: Lane, wires: list[Wire]) -> None:
        for wire in wires:
            lane.wires.remove(wire)
            self._selector.unregister(wire)
        part(wires)
