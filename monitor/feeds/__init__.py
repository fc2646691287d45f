"""Edges: what providers publish about themselves. One file per kind."""
