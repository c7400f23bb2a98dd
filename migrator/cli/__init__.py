"""The command line: parses, calls, prints, answers for errors; decides nothing of its own."""
