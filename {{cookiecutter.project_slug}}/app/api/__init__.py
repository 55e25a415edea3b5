"""HTTP: the edge around everything, the one table of answers, and the routes."""
