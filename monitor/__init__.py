"""Seedwatch: tells senders whether it is them or the provider."""

__version__ = "0.1.0"
