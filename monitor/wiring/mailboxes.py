"""Mailboxes that stay connected between looks, and are let go of when there are too many."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.core.ports import Mailbox
from monitor.store.columns import saved
from monitor.store.tables import SeedRow

MOST = 500  # connections, and what is remembered with them


@dataclass(slots=True)
class KeptMailboxes:
    """A later look on a kept connection costs one round trip. Safe between threads.

    Args:
        make: opens the mailbox of a seed; it connects when it is first looked into.
        most: how many are kept; the one used least recently is closed first.
    """

    make: Callable[[SeedRow], Mailbox]
    most: int = MOST
    _kept: OrderedDict[int, tuple[tuple[object, ...], Mailbox]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, seed: SeedRow) -> Mailbox:
        """Return the mailbox of *seed*; a new one if anything in the seed's row has changed.

        But for the refresh token of a seed that signs in by OAuth: its provider may change it
        with every use, and its source of tokens knows (wiring/tokens.py).
        """
        mark = tuple(seed.model_dump(exclude={"secret"} if seed.oauth else None).values())
        gone: list[Mailbox] = []
        with self._lock:
            known = self._kept.pop(saved(seed.id), None)
            if known is not None and known[0] != mark:
                gone.append(known[1])
                known = None
            mailbox = known[1] if known else self.make(seed)
            self._kept[saved(seed.id)] = (mark, mailbox)
            while len(self._kept) > self.most:
                gone.append(self._kept.popitem(last=False)[1][1])
        for one in gone:
            one.close()
        return mailbox

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            kept = [mailbox for _, mailbox in self._kept.values()]
            self._kept.clear()
        for mailbox in kept:
            mailbox.close()
