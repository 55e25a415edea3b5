"""How state is stored, on SQLite and PostgreSQL alike.

tables, mapping             what is stored, and which aggregate is made of which rows
database, sqlite, postgresql   connections: some write, some only read
errors                      what databases complain about, in the words of the bus
sessions                    the units of work's sessions and the read-only ones
unit_of_work, event_log, idempotency   one transaction, the events in it, and the key it answers to
repositories/               aggregates by id
access                      what users may do
migrate, revisions, applied   the schema, step by step: the steps there are, and those a database has had
provider                    all of it, for the container
"""
