"""Facts to verdicts: pure statistics, no clock, no rows, no network."""
