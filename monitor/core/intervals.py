"""How far a share that was counted may be from the true one."""

import math


def wilson(hits: float, trials: float, *, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson score interval of a share; (0, 1) if nothing was tried.

    Unlike the textbook interval it stays inside [0, 1] and keeps its coverage when a
    provider has a handful of seeds. *hits* and *trials* may be fractional: an effective
    count is one.

    Args:
        hits: 0 <= hits <= trials.
        trials: copies, or effective copies.
        z: normal quantile; 1.96 covers 95 %.
    Raises:
        ValueError: *hits* and *trials* cannot be counts of one experiment.

    Source: E. B. Wilson, JASA 22 (1927), 209-212.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials} is no share")
    if trials == 0:
        return 0.0, 1.0
    share = hits / trials
    spread = z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
