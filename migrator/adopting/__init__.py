"""What other programs that fetch mail by POP3 left: their configuration, what they noted, the mail they stored.

One module a program takes text and gives ``OldAccount``; only ``finding`` looks at files. A state file says that
somebody fetched a unique-id once. It never proves that a copy exists: that is for the copy itself to show.
"""
