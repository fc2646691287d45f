"""Sending services, by their HTTP APIs. One file per vendor; docs/esps.md says what each does."""
