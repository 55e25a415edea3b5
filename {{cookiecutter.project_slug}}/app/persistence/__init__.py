"""Stores the state of the service, on SQLite and PostgreSQL alike.

tables, event_tables              the tables
column_types                      column types that both databases have
mappings/, repositories/          the mapping of aggregates to tables, and loading aggregates by id
unit_of_work, idempotency          a transaction with its events, and idempotency keys
access, credentials                permissions of users, and their password hashes
provider                           registers all of this with the container
sweeping                           deletes expired rows
engine/                            connections, sessions, errors, optimistic locking
schema/                            migrations, and the record of those applied to a database
events/                            the event log, outbox and inbox
projections/                       read models built from events
"""
