"""Connections: TCP and TLS, SASL mechanisms, certificates in words."""
