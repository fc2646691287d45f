"""Edges: tell people. One file per kind."""
