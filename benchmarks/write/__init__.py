"""What a write costs through the bus, beside an endpoint written by hand that does the same inserts. On PostgreSQL.

__main__.py    `python -m benchmarks.write`
database.py    a database of its own, made and dropped again
service/       the service under load: one process, three endpoints
running.py     starts that process and ends it
load.py        keeps connections busy
session.py     loads each endpoint once a round, and counts the rows afterwards
report.py      the table and the verdicts
"""
