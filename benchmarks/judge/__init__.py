"""How good the judge is: simulated streams, its rivals, and the score. See docs/judge.md."""
