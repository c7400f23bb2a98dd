"""Finding archived messages: the query's grammar, the index, and how it is kept up to date."""
