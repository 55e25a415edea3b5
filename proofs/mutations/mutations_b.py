"""The guards of delivery for each handler by itself, each taken out."""

from mutations.mutation import Mutation, outside

OUTBOX, RELAY, DELIVERY = "persistence/events/outbox.py", "composition/relay.py", "composition/delivery.py"
STATEMENTS = "persistence/events/outbox_statements.py"
OF_OUTBOX, OF_RELAY = "persistence/events/test_outbox.py", "composition/test_relay.py"
OF_DELIVERY, OF_CONSUMER = "composition/test_delivery.py", "composition/test_consumer.py"
WAITING, OF_WAITING = "persistence/events/waiting_events.py", "persistence/events/test_waiting_events.py"
KEEPING, REGISTRATIONS = "persistence/events/received_events.py", "core/cqrs/registrations.py"


def of_outbox(name: str, old: str, new: str) -> Mutation:
    """A mutation that the tests of the outbox have to notice."""
    return outside(f"outbox/{name}", OUTBOX, old, new, OF_OUTBOX)


def of_statement(name: str, old: str, new: str) -> Mutation:
    """A mutation of a statement of the outbox."""
    return outside(f"outbox/{name}", STATEMENTS, old, new, OF_OUTBOX)


def of_relay(name: str, old: str, new: str) -> Mutation:
    """A mutation that the tests of the relay have to notice."""
    return outside(f"relay/{name}", RELAY, old, new, OF_RELAY)


MUTATIONS = [
    # Streams
    of_outbox(
        "what is done lets the next one go",
        "            await promote(connection, {claimed.stream for claimed in done}, now)\n",
        "",
    ),
    of_statement("only the first of a stream is let go", "~r.dead, r.version == lowest)", "~r.dead)"),
    of_outbox("what is dead is not due", "None if dead else now", "now"),
    of_statement("an event of ours that comes later is waited for", "earlier.id > event.id, ", ""),
    of_statement("what another release knows is waited for", "earlier.event_type.not_in(known)", "literal(False)"),
    of_statement(
        "what comes before at another service is waited for",
        'or_(event.previous.is_(None), came, waited).label("is_next")',
        'literal(True).label("is_next")',
    ),
    of_statement("what was not handed out did not come", "        before.published_at.is_not(None),\n", ""),
    of_statement("what never comes is not waited for", "came, waited)", "came)"),
    of_outbox("it is waited for a while", "now - timedelta(seconds=GRACE_SECONDS)", "now"),
    of_statement("aggregates of two services are two", "row.source == bindparam", 'bindparam("of") == bindparam'),
    # Leases
    of_statement(
        "others do not store what became of it",
        'reactions.c.claimed_by == bindparam("me")',
        'or_(reactions.c.claimed_by == bindparam("me"), literal(True))',
    ),
    of_outbox("a lease is renewed", ".values(due_at=until)", ".values(due_at=reactions.c.due_at)"),
    of_outbox(
        "a lease is given back", "mine.values(due_at=now, claimed_by=None)", "mine.values(due_at=reactions.c.due_at)"
    ),
    of_relay("a lease is renewed", "            await self._outbox.renew()\n", "            pass\n"),
    of_relay("leases are given back", "                await self._outbox.give_back()\n", ""),
    of_relay(
        "what became of events outlives an outage of the database",
        "            self._outcomes = outcomes + self._outcomes\n",
        "",
    ),
    of_relay(
        "what is new is looked for after an outage of the database",
        "                self._looks_at = 0.0\n                self._note_outage",
        "                self._note_outage",
    ),
    of_relay(
        "what is done is stored although others take long",
        "            asyncio.get_running_loop().call_later(AHEAD_SECONDS, self._woken.set)\n",
        "",
    ),
    # Handlers do not hold each other up
    of_statement("no handler gets more than it may have", '.limit(bindparam(f"free_{number}"))', ".limit(100)"),
    of_statement("the oldest comes first", "due.order_by(r.due_at, r.event_id)", "due.order_by(r.event_id.desc())"),
    of_relay(
        "a handler has places", "while ahead and self._busy[handler] < self._places(handler) and", "while ahead and"
    ),
    of_relay("places are a handler's own", "- self._busy[handler]\n", "- self._busy.total()\n"),
    of_relay("an outage is that of one handler", "if claimed.handler in self._away_until:", "if self._away_until:"),
    of_relay(
        "an outage is no attempt",
        "        except BrokerDownError as error:\n            self._note(Outcome(claimed, is_given_back=True))",
        "        except BrokerDownError as error:\n            self._note(Outcome(claimed, error))",
    ),
    # What fails
    of_outbox("what may pass does not die", " and not _may_pass(error)", ""),
    of_outbox("who died is told", "        self._tell_dead(outcomes)\n", ""),
    # Events of other services
    outside(
        "delivery/what comes back is passed over",
        "composition/cloud_events.py",
        'types.find(name.removeprefix(f"{source}."), source)',
        'types.find(name.removeprefix(f"{source}."), None)',
        OF_DELIVERY,
    ),
    outside(
        "delivery/what comes twice is kept once",
        KEEPING,
        "if_new(received_events, connection.dialect.name), row",
        "received_events.insert(), row",
        OF_CONSUMER,
    ),
    outside(
        "delivery/what nobody reads is kept once",
        KEEPING,
        "if_new(received_events, dialect), row",
        "received_events.insert(), row",
        OF_CONSUMER,
    ),
    outside(
        "delivery/what nobody reads waits once",
        KEEPING,
        "if_new(reactions, dialect), waits",
        "reactions.insert(), waits",
        OF_CONSUMER,
    ),
    # Names
    outside(
        "event_handler(timeout_seconds)",
        "core/cqrs/registry.py",
        "timeout_seconds=timeout_seconds, in_transaction",
        "timeout_seconds=30.0, in_transaction",
        "core/cqrs/test_events.py",
    ),
    outside(
        "event_handler(name)",
        "core/cqrs/registry.py",
        "in_transaction=in_transaction, name=name",
        "in_transaction=in_transaction",
        OF_DELIVERY,
    ),
    outside(
        "delivery/two handlers have two names",
        REGISTRATIONS,
        "            self._check_name(registered)\n",
        "",
        "core/cqrs/test_registrations.py",
    ),
    outside(
        "delivery/two handlers of one class have two names",
        REGISTRATIONS,
        "twins=self._twins_of(registered)",
        "twins=0",
        OF_DELIVERY,
    ),
    of_outbox("a handler that is here is not gone", ".where(r.handler.not_in(self.names))", ""),
    outside(
        "delivery/handlers that are gone are told",
        DELIVERY,
        "            await self._warn_of_missing_handlers(outbox)\n",
        "",
        OF_DELIVERY,
    ),
    outside(
        "delivery/handlers that are here are not told",
        DELIVERY,
        "        if missing:\n",
        "        if 1:\n",
        OF_DELIVERY,
    ),
    # An operator
    outside(
        "purge(handler)", WAITING, "true() if all_of_handler else reactions.c.dead", "reactions.c.dead", OF_WAITING
    ),
    outside("replay(handler)", WAITING, "true() if handler is None else r.handler == handler", "true()", OF_WAITING),
    outside(
        "delivery/what was behind is let go",
        WAITING,
        "        await promote(connection, streams, now)\n",
        "",
        OF_WAITING,
    ),
    outside("delivery/what is being tried is left alone", WAITING, ", r.claimed_by.is_(None))", ")", OF_WAITING),
]
