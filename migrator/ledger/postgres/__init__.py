"""The ledger in PostgreSQL: for several machines, and for those who have a database that is looked after.

psycopg is imported here and nowhere else, and only where the configuration names such a ledger.
"""
