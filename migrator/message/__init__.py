"""A message as bytes: its body, what identifies it, how well a copy equals it."""
