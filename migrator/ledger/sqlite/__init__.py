"""The ledger in SQLite: a file in the state folder, for one machine."""
