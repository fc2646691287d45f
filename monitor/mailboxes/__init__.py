"""Edges in: read seed mailboxes without leaving a trace. One file per kind."""
