"""What takes long and was asked for on the page: done one after the other, and kept with its result.

A task that waits survives a restart; one that was running then has ended as interrupted, and says so. What can be asked
for is a ``TaskKind`` in a module of its own, named in ``registry``; it gets the task and its ``Hands`` and returns a
sentence, and may leave a file.

Reading order: ``task``, ``kind``, ``registry``, ``queue``; ``task_store`` and ``files`` keep what there is.
"""
