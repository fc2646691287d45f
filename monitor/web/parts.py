"""What a request may use."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flask import current_app
from sqlalchemy import Engine
from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.core.seeds import ProviderFacts
from monitor.signed_links import SignedLinks

KEY = "seedwatch"


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the pages are made from. They read; only the web hook writes.

    Args:
        facts: provider id to facts, for names and for what a person can do.
        banner: one sentence on top of every page; the demo says there how time runs.
        templates_dir: the user's own templates; they come before ours.
        hosts: names under which the pages may be asked for. A page of somebody else's
            whose name was made to resolve to this machine gets nothing.
        inbound_key: opens the web hook for reported mail; "": it is closed.
        providers_of: tells the providers of domains, within some seconds; None: nobody can.
        links: reads what links in mail ask for; None: there are no such pages.
        status_url: where the public status is reached, without /status; "": it is not public.
    """

    engine: Engine
    clock: Clock
    facts: Mapping[str, ProviderFacts]
    banner: str = ""
    templates_dir: Path | None = None
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    inbound_key: str = field(default="", repr=False)
    links: SignedLinks | None = None
    providers_of: Callable[[Collection[str]], Mapping[str, str]] | None = None
    status_url: str = ""

    def session(self) -> Session:
        return Session(self.engine)

    def provider_name(self, provider: str) -> str:
        """What people call *provider*; its id if nobody told us."""
        known = self.facts.get(provider)
        return known.name if known else provider


def parts() -> Parts:
    """Return the parts of the app that handles this request."""
    found = current_app.extensions[KEY]
    if not isinstance(found, Parts):
        raise TypeError(f"the app was made without its parts: {found!r}")
    return found
