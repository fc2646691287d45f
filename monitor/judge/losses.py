"""What clusters say for an incident that hit them, as arrays: log odds, bare of any prior."""

import math
from dataclasses import dataclass

import numpy as np

from monitor.judge.columns import probabilities
from monitor.judge.likelihood import SPARED
from monitor.judge.memory import Memory
from monitor.judge.table import (
    ARRIVAL,
    BOTH,
    EVERYWHERE,
    EXPLAINED,
    FINE,
    MILDER,
    MOVED,
    Floats,
    Mask,
    Rows,
)


@dataclass(frozen=True, slots=True)
class Losses:
    """Log odds, bare of any prior, that an incident hit each cluster."""

    wholly: Floats  # one that takes an unknown share of the copies
    partly: Floats  # one that takes a third of them
    on_arrival: Mask  # did it take an unknown share of them before they arrived?


def losses(figures: Floats, everywhere: Floats | float, *, partial: bool = False) -> Floats:
    """Log odds, bare of any prior, that an incident hit each cluster.

    Args:
        figures: the fields of the clusters' likelihoods.
        everywhere: probability that the campaign fails at all providers.
        partial: an incident that takes a third of the copies, not an unknown share.
    """
    with np.errstate(invalid="ignore"):  # NaN is what is not known
        hit = figures[2] if partial else figures[3]
        return _hit(figures, hit) - _null(figures, everywhere)


def _null(figures: Floats, everywhere: Floats | float) -> Floats:
    normal, _, _, bad, own = figures
    fails = everywhere + own * (1 - everywhere)
    return np.asarray(np.logaddexp(np.log(fails) + bad, np.log1p(-fails) + normal))


def _hit(figures: Floats, hit: Floats) -> Floats:
    spared = math.log(SPARED) + figures[0]
    return np.asarray(np.logaddexp(math.log1p(-SPARED) + hit, spared))


def _both(figures: Floats, everywhere: Floats | float) -> tuple[Floats, Floats]:
    """Losses of an unknown share, and of a third."""
    with np.errstate(invalid="ignore"):
        null = _null(figures, everywhere)
        return _hit(figures, figures[3]) - null, _hit(figures, figures[2]) - null


def all_losses(memory: Memory, rows: Rows, everywhere: Floats | float) -> Losses:
    """The same for mail lost on arrival or removed later; 0 where nothing is known."""
    table = memory.table
    wholly, partly = _both(table.likelihood(ARRIVAL, rows), everywhere)
    on_arrival = wholly > 0
    moved = np.flatnonzero(~np.isnan(table.number(MOVED, rows)))
    if len(moved):
        coupled = everywhere if isinstance(everywhere, float) else everywhere[moved]
        later = _both(table.likelihood(BOTH, rows[moved]), coupled)
        wholly[moved] = np.fmax(wholly[moved], later[0])
        partly[moved] = np.fmax(partly[moved], later[1])
    return Losses(filled(wholly), filled(partly), on_arrival)


def either(memory: Memory, rows: Rows, everywhere: Floats | float = 0.0) -> Floats:
    """What `all_losses` has of incidents that take an unknown share."""
    table = memory.table
    found = losses(table.likelihood(ARRIVAL, rows), everywhere)
    moved = np.flatnonzero(~np.isnan(table.number(MOVED, rows)))
    if len(moved):
        coupled = everywhere if isinstance(everywhere, float) else everywhere[moved]
        both = losses(table.likelihood(BOTH, rows[moved]), coupled)
        found[moved] = np.fmax(found[moved], both)
    return filled(found)


def filled(values: Floats) -> Floats:
    """*values*, and 0 where they are not known."""
    return np.where(np.isnan(values), 0.0, values)


def reliefs(memory: Memory, rows: Rows, *, partial: bool = False) -> Floats:
    """The same for a filter that has become milder: log odds that it spared each cluster."""
    fine = probabilities(memory.table.number(FINE, rows))
    return np.nan_to_num(losses(memory.table.likelihood(MILDER, rows), fine, partial=partial))


def coupled_losses(memory: Memory, rows: Rows) -> Floats:
    """What clusters say for trouble at their provider, beyond what is known to explain it."""
    everywhere = probabilities(memory.table.number(EVERYWHERE, rows))
    loss = either(memory, rows, everywhere)
    return beyond(loss, memory.table.number(EXPLAINED, rows))


def beyond(loss: Floats, known: Floats) -> Floats:
    """What is left of *loss* where a known incident did it with probability *known*."""
    at = np.flatnonzero(known)
    if len(at):
        loss, some, safe = loss.copy(), loss[at], np.clip(known[at], 1e-12, 1 - 1e-12)
        loss[at] = some - np.logaddexp(np.log(safe) + some, np.log1p(-safe))
    return loss
