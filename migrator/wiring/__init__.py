"""From the configuration to things that work: sources, destinations, an archive to read from."""
