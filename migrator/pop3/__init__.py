"""The POP3 engine: pipelined, streaming, strict; it believes nothing that does not fit.

Reading order: ``session`` (what a run uses), ``retrieve`` (how messages come and how it stays in step), ``listing``,
``opening``, ``login_attempts`` and ``auth``, ``connection`` (pumps the protocol over a stream), ``protocol``,
``replies`` and ``refusals`` (pure), ``transport``.
"""
