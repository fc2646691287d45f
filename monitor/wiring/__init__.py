"""The only room that knows every part: settings -> parts -> work, pages."""

from monitor.wiring.edges import Edges, edges_from
from monitor.wiring.facts import load_facts
from monitor.wiring.house import House, build

__all__ = ["Edges", "House", "build", "edges_from", "load_facts"]
