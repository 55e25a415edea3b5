"""What proofs of the API have: the whole application, and people who call it."""

from tests.api.conftest import app, callers, client, service

__all__ = ["app", "callers", "client", "service"]
