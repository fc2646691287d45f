"""Words: what Seedwatch talks about. Standard library only."""
