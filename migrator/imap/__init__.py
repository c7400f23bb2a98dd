"""The upload engine: an IMAP session that appends fast, learns what became of every byte, and reads back.

Reading order: ``session`` (who is at the other end), ``wire`` (lines and literals), ``append`` and ``fetch`` (the two
commands that matter), ``replies`` and ``refusals`` (what the server says, and what to do about it), ``recognition``
(whose message is this), ``arrival`` (INTERNALDATE), ``allowance`` (how much a provider lets us send).
"""
