"""Simulated mailbox providers over real SMTP and IMAP on loopback, with scripted faults."""
