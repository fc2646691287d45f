"""Bytes to facts: pure parsers and builders. What comes from outside is hostile."""
