"""Signing in to the page at an OpenID provider (OpenID Connect Core 1.0), the extra ``mailferry[oidc]``.

``provider`` knows one provider: where its endpoints are, which keys it signs with; ``id_token`` judges what it says of
who has signed in; ``under_way`` remembers the sign-ins that a browser has begun here. Whom that lets in is decided by
issuer and subject alone (``jobs.web.identity_store``), never by an address of mail or a name.
"""
