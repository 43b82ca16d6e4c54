"""What winnow's Python programs share: addresses and logins, records and their schemas, errors with exit codes."""
