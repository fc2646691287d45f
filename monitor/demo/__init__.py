"""The demo: the whole line, run for real on the lab, with MO255463 replayed."""
