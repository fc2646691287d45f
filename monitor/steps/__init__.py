"""The line: rows in, one pure decision, rows out. Steps meet in the store."""
