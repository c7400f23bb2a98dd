"""A Maildir."""
