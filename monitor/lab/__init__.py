"""Simulated providers on the loopback: real SMTP and IMAP, scripted faults."""
