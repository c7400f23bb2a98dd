"""mailferry: see docs/architecture.md."""
