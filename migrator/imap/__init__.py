"""The upload engine: an IMAP session that appends fast, learns what became of every byte, and reads back.

Reading order: ``upload`` (one batch, stored once) over ``mailbox`` (one folder, over as many connections as it takes)
and ``session`` (who is at the other end); ``append`` and ``fetch`` (the two commands that matter) over ``wire`` (lines
and literals); then what is pure: ``replies`` and ``refusals`` (what the server says, and what to do about it),
``placing`` (where copies stand), ``find_copies`` (whose message is this), ``internal_date``; and ``upload_limits`` (how
much a provider lets us send).
"""
