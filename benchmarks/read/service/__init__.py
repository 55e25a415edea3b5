"""The service under load: the service's own parts, and a menu.

__main__.py      one uvicorn process on a free port, as `app run` starts it
menu.py          the table, the query that all endpoints make, and the answer
by_hand.py       the floor: the query inline
through_bus.py   the same as a query of the bus: with a database read each time, and cached
"""
