"""The demo: a small POP3 server on loopback, an office's sample mail, and the story of how it is archived.

``samples`` writes the mail (tests use it too), ``server`` holds it, ``story`` moves it with the program's real code and
tells what happened. Nothing here is imported by the rest of the program.
"""
