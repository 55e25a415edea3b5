"""Endpoints. Every module here with a `router` is served; nobody lists them."""
