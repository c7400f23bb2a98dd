"""What a person hears unasked, and how it gets there."""
