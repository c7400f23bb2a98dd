"""Moves mail out of POP3 mailboxes into local archives and IMAP mailboxes.

The package promises that nothing is deleted at a source before every destination's copy has been written durably,
read back and found equal, and that a crash at any point loses nothing and stores nothing twice (docs/promises.md).

Reading order: ``model`` and ``errors`` (the words), ``run.account`` and ``run.session`` (the path of one message, top
to bottom), ``run.plan`` and ``run.deletion_rule`` (what to retrieve, what to delete), ``copying.copier`` (intend,
store, read back, record), ``pop3`` and ``destinations`` (the two ends), ``ledger`` (what is durable when).
``docs/architecture.md`` tells the same from the outside in.
"""

__version__ = "0.1.0"
