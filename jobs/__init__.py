"""Runs ``migrator`` on a schedule: the worker that an office need not think about.

It decides *when* an account is worked; whether a message is copied or deleted is decided in ``migrator`` alone.
"""
