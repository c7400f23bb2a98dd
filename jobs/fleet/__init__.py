"""One service on several machines: who is due, who works it, and what is remembered between two runs.

The queue decides when, the ledger decides whether: what is queued may be lost at any time, or come twice. Imported only
where the ledger is in PostgreSQL.
"""
