"""Runs ``migrator`` on a schedule: the worker that an office need not think about.

It decides *when* an account is worked; whether a message is copied or deleted is decided in ``migrator`` alone.

Reading order: ``policy`` and ``breaker`` (what an outcome means for the next run), ``queue`` (who is worked next),
``alerts`` (what a person is told): all four pure, with the time passed in. Then ``worker`` (the threads), ``clock``
(APScheduler, which only rings), ``service`` (the process), and beside them the quiet threads ``upkeep``, ``outbox``
and ``pings``. ``doctor`` looks for trouble.
"""
