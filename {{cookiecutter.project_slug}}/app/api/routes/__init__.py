"""Endpoints. Every module here with a `router` is discovered and served; there is no list of them."""
