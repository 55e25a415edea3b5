"""What it costs to send a message through the bus, beside a direct call of its handler and beside peers.

__main__.py    `python -m benchmarks.dispatch`
lines.py       the lines of the table, and the bars
case.py        one way to get a message handled, with the counter that proves that it was
floor.py       a direct `await handler._handle(message)`
ours.py        our bus: nothing declared, validation, middleware, events, deadline
shipped.py     our bus as a service runs it: request scope, metrics, logging
peers/         one file a peer, in its documented set-up
byhand.py      what our bus always does, as the few lines that a team would add to a peer
prepare.py     gives each case its floor
measure.py     times each case right after its floor, round by round
apart.py       the same in another interpreter, for peers whose dependencies contradict ours
witness.py     proves that middlewares are in the way
figures.py     what the rounds of a case say
retention.py   20,000 messages leave nothing behind
verdict.py     which bars hold, and whether a peer is ahead
report.py      the table and the JSON
"""
