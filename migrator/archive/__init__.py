"""The archive is useful: search, read, export, restore, import, verify, rebuild.

Reading order: ``query`` and ``folding`` (what a person asks, pure), ``headers``, ``charsets`` and ``parsing`` (what a
message says, on hostile input), ``worker`` and ``parser`` (the same in a process with limits), ``index`` and
``indexing`` (the search index, which may be deleted at any time), ``showing``, ``exporting``, ``importing``,
``verify``, ``rebuilding``, ``repairing``. Nothing in here writes to a destination: what must be stored goes through
``migrator.copying.copier``, which is handed in.
"""
