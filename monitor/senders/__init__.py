"""Edges out: hand letters to mail servers. One file per kind."""
