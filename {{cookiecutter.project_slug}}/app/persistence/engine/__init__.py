"""Connections, transactions and sessions, on SQLite and PostgreSQL alike.

database                     the engines: one for writing, one for reading only, one for delivering events
sqlite, postgresql, pooler   how each engine connects; what PgBouncer needs
sqlite_connections           connections that keep no lock when their caller is cancelled
postgresql_connections       connections with the options of their URL
connection_pool              connections in the order in which they are asked for
errors, postgresql_errors    translates database errors into errors of the bus
sessions                     the base of all sessions, and read-only ones
unit_session, savepoints     sessions of units of work, and their savepoints
async_savepoints             savepoints as handlers use them
guarding                     optimistic locking of aggregates
lost_changes                 changes and events that SQLAlchemy would lose in silence
mapping                      maps aggregates to tables
upsert                       INSERTs of rows that may already exist
advisory_lock                mutual exclusion between processes
shared_clock                 the clock by which processes compare what they store
"""
