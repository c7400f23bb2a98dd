"""When which account is worked, by whom, and what is remembered of it."""
