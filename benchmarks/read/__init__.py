"""What a read costs over HTTP: from PostgreSQL by hand, the same through the bus, and from a warm cache.

__main__.py   the session: rounds in turn, and the bars
database.py   a menu to read
service/      the service under load, with the three endpoints
"""
