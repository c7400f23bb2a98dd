"""An archive in an object store: one object of mboxrd records a batch, named by the SHA-256 of its bytes."""
