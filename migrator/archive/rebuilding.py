"""Builds anew the search index, which the archive alone can tell."""

from __future__ import annotations

from pathlib import Path

from migrator.archive.index import SearchIndex, remove


def emptied_index(state_dir: Path) -> SearchIndex:
    """Return a new, empty index in place of the old one; called under the lock of the index."""
    remove(state_dir)
    return SearchIndex.open(state_dir)
