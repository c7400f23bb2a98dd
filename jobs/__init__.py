"""Runs ``migrator`` on a schedule: the worker that an office need not think about.

It decides *when* an account is worked; whether a message is copied or deleted is decided in ``migrator`` alone.

Reading order: ``schedule.retry`` and ``schedule.circuit_breaker`` (what an outcome means for the next run),
``schedule.queue`` (who is worked next), ``alerting.incidents`` (what a person hears): all four pure, with the time
passed in. Then ``schedule.workers`` (the threads), ``schedule.timetable`` (the clock, which only wakes), ``assembly``
(everything wired together), ``service`` (the process), and the threads beside the runs: ``maintenance.upkeep``,
``alerting.outbox``, ``alerting.heartbeat``. ``doctor`` looks for trouble.
"""
