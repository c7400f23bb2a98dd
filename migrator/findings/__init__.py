"""What a person must know, as values: derived by pure code from facts, in one place, for whatever shows it."""
