"""Runs ``migrator`` on a schedule: the worker that an office need not think about.

It decides *when* an account is worked; whether a message is copied or deleted is decided in ``migrator`` alone.

Reading order: ``schedule.retry`` and ``schedule.circuit_breaker`` (what an outcome means for the next run),
``schedule.queue`` (who is worked next), ``alerting.incidents`` (what a person hears): all four pure, with the time
passed in. Then ``schedule.workers`` (the threads), ``schedule.timetable`` (APScheduler, which only wakes), ``service``
(the process), and beside them the background threads of ``maintenance.upkeep``, ``alerting.outbox`` and
``alerting.heartbeat``. ``doctor`` looks for trouble.
"""
