"""The API: what the page shows and does, for programs with a token, as JSON.

``table`` says which address is answered by what and which scope it needs; the OpenAPI document (``document``) is made
of it, and ``asking`` lets requests in.
"""
