"""One module per command: ``run(arguments, console)`` does it and returns the exit code.

Each is imported when it is asked for, so that no command pays for another's libraries. A command raises
``ConfigError`` before it has touched anything, and ``FerryError`` for what concerns no single account.
"""
