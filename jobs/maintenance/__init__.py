"""What the worker does beside runs: indexing, verifying in slices."""
