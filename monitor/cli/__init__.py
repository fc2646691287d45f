"""The command line: `seedwatch`. One module per group of commands."""

from monitor.cli.main import main

__all__ = ["main"]
