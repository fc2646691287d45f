"""Edges: ask the DNS, follow a link."""
