"""What clusters say for an incident that hit them, as arrays: log odds, bare of any prior."""

import math

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
    Rows,
)


def losses(figures: Floats, everywhere: Floats | float, *, partial: bool = False) -> Floats:
    """Log odds, bare of any prior, that an incident hit each cluster.

    Args:
        figures: the fields of the clusters' likelihoods.
        everywhere: probability that the campaign fails at all providers.
        partial: an incident that takes a third of the copies, not an unknown share.
    """
    normal, _, third, bad, own = figures
    hit = third if partial else bad
    fails = everywhere + own * (1 - everywhere)
    with np.errstate(invalid="ignore"):  # NaN is what is not known
        null = np.logaddexp(np.log(fails) + bad, np.log1p(-fails) + normal)
        spared = math.log(SPARED) + normal
        return np.asarray(np.logaddexp(math.log1p(-SPARED) + hit, spared) - null)


def either(
    memory: Memory, rows: Rows, everywhere: Floats | float = 0.0, *, partial: bool = False
) -> Floats:
    """The same for mail lost on arrival or removed later; 0 where nothing is known."""
    table = memory.table
    found = losses(table.likelihood(ARRIVAL, rows), everywhere, partial=partial)
    moved = np.flatnonzero(~np.isnan(table.number(MOVED, rows)))
    if len(moved):
        coupled = everywhere if isinstance(everywhere, float) else everywhere[moved]
        both = losses(table.likelihood(BOTH, rows[moved]), coupled, partial=partial)
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
