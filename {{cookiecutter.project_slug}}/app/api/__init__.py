"""The HTTP layer: the edge middleware, the one table of status codes, and the routes."""
