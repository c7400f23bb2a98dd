"""A batch of messages to destinations, each copy stored, read back and proven."""
