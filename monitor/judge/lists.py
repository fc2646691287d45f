"""Lists of names that recur in a snapshot: each is written once, and told by its number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Lists:
    """The senders' features, the seeds of a cluster and the regions are the same again and
    again: written out each time they would be half of a snapshot."""

    known: dict[tuple[str, ...], int] = field(default_factory=dict)

    def number(self, names: Iterable[str]) -> int:
        """Number the list; one that was seen before keeps its number."""
        return self.known.setdefault(tuple(names), len(self.known))

    def snapshot(self) -> list[list[str]]:
        """All lists, in the order of their numbers."""
        return [list(names) for names in self.known]


def named(lists: Sequence[Sequence[str]], number: int) -> tuple[str, ...]:
    """The names of list *number*.

    Raises:
        IndexError: there is no such list.
    """
    return tuple(lists[number])
