"""Connections, transactions and sessions, on SQLite and PostgreSQL alike.

database                     the engines: one writes, one only reads, one delivers events
sqlite, postgresql, pooler   how each is opened; what PgBouncer needs
errors                       what databases complain about, in the words of the bus
sessions, guarding           sessions of units of work and read-only ones; optimistic locking of aggregates
mapping                      makes aggregates of rows
upsert                       INSERTs of rows that may be there already
advisory_lock                one process at a time does something
sql_spans                    a span for each statement
"""
