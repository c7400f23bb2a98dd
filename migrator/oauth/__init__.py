"""OAuth 2.0 (RFC 6749): access tokens to log in with, in place of passwords.

A person signs in once (``flows``); the sign-in is kept in a file of its own (``store``), and access tokens are fetched
with it (``signed_in``), one at a time over all processes. Whatever is a token, a code or a client's secret stands in no
message, repr, log or backup. What is said and parsed by the standards is oauthlib's work (``exchange``).
"""
