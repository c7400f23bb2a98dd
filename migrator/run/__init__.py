"""One account's run: read ``account``, then ``session``."""
