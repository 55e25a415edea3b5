"""What a write costs through the bus, beside endpoints written by hand that do the same. On PostgreSQL.

__main__.py    `python -m benchmarks.write`
database.py    who may send parcels, and how many rows there are
endpoints.py   what is loaded, and that everything acknowledged is stored
service/       the service under load: one process, six endpoints
"""
