"""Questions to the DNS as the steps ask them: many at a time, bounded."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from sqlmodel import Session

from monitor.lookups.mail_hosts import ask_together
from monitor.steps.prove import AskTexts, prove
from monitor.store.jobs import Job

if TYPE_CHECKING:
    from monitor.wiring.house import House

PROVE_WITHIN_S = 120.0  # of a lease of five minutes


def ask_texts(house: "House") -> AskTexts:
    """Return what asks for the TXT records of many names."""
    return partial(_texts, house)


def prove_domains(house: "House", session: Session, job: Job) -> None:
    """Do a job of kind "prove"."""
    del job
    prove(session, ask_texts(house), now=house.clock.now())


def _texts(house: "House", names: Sequence[str]) -> Mapping[str, Sequence[str] | None]:
    return ask_together(house.edges.resolver.txt, names, within_s=PROVE_WITHIN_S)
