"""What the worker shows of itself: health, metrics, numbers."""
