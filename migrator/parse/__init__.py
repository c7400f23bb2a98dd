"""Parsing mail for the search index, in a process of its own, with limits."""
