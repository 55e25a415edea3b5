"""The service under load: the service's own parts, and parcels.

__main__.py      one uvicorn process on a free port, as `app run` starts it
parcels.py       the table, the aggregate and the event
by_hand.py       the floors: both inserts inline, in one transaction; then with the guarantees of a protected command
through_bus.py   the same as commands: with a transaction, events and validation, then protected too
"""
