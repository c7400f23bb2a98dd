"""What a person is told unasked, and how it gets there."""
