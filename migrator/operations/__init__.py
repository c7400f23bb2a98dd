"""What a person can ask for, below whatever they ask it with: a command line, the scheduled worker, a page.

One module for each use case. It takes what it needs as arguments (accounts, the ledger, a clock, a listener to
progress) and returns values, whose ``as_json`` is the document that scripts read. It prints nothing, reads no command
line, and raises ``FerryError``, or ``ConfigError`` for a wish that makes no sense. Who calls it opens and closes the
ledger (``migrator.wiring.ledger``), and says in words what came of it.
"""
