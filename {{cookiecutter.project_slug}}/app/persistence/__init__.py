"""How state is stored, on SQLite and PostgreSQL alike.

tables, mappings/, repositories/   what is stored, which aggregate is made of which rows, and aggregates by id
unit_of_work, idempotency          one transaction with the events in it, and the key it answers to
access, credentials                what users may do, and how they prove who they are
provider, ..._provider             all of it, for the container
sweeping                           deletes what is too old
engine/                            connections, sessions, errors, optimistic locking
schema/                            migrations, and the record of those a database has had
events/                            the event log, outbox and inbox
projections/                       read models out of events
"""
