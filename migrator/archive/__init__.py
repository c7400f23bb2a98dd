"""What was archived, read again: shown, verified, repaired, restored, known again from the files alone.

Reading order: ``reader`` (where a message is read from), ``render`` (a message for a person), ``verify`` (copies read
again), ``unproven``, ``repair`` over ``mend``, ``restore``, ``rebuild``. Nothing in here writes to a destination: what
must be stored goes through ``migrator.copying.copier``, which is handed in.
"""
