"""System calls that fail once, at the n-th call, in the process that a test chooses; see ``tests.damage.calls.failing``."""
