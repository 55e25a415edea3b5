"""What measures a service over HTTP: real sockets, a process of its own, a database of its own on PostgreSQL.

session.py    the options, the service under load, and the exit code
database.py   the database, made and dropped again
serving.py    the process: the service's own server on a free port
running.py    starts that process and ends it
load.py       keeps connections busy
rounds.py     loads each endpoint once a round
report.py     the table and the verdicts
"""
