"""Mutations of what puts the service together, and of delivery."""

MUTATIONS = {
    "tests/composition/test_relay.py": [
        ("an outage is nobody's attempt", "Deliveries._handle", "self._pausing", "ZeroDivisionError"),
        ("relay/a lease is renewed", "Relay._turn", "await self._outbox.renew()", "pass"),
        ("relay/its end takes one time", "Relay.finish", "self._ends_at = monotonic() + DRAIN_SECONDS", ""),
        ("relay/leases are given back", "Relay._end", "await self._outbox.give_back()", "pass"),
        (
            "relay/what became of events outlives an outage of the database",
            "Deliveries.put_back",
            "self._outcomes = outcomes + self._outcomes",
            "",
        ),
        ("relay/what is new is looked for after an outage of the database", "Relay._run", "self._looks_at = 0.0", ""),
        (
            "relay/what is done is stored although others take long",
            "Deliveries._note",
            "asyncio.get_running_loop().call_later(pace.AHEAD_SECONDS, self._wake)",
            "pass",
        ),
        (
            "relay/a handler has places",
            "Deliveries._fill",
            "ahead and self._busy[handler] < self._places(handler) and (not self.stopping)",
            "ahead and (not self.stopping)",
        ),
        ("relay/places are a handler's own", "Deliveries.free", "self._busy[handler]", "self._busy.total()"),
        (
            "relay/an outage is that of one handler",
            "Deliveries._handle",
            "claimed.handler in self._away_until",
            "self._away_until",
        ),
        (
            "relay/an outage is no attempt",
            "Deliveries._handle",
            (
                "self._note(Outcome(claimed, is_given_back=True))\n"
                "self._away_until[claimed.handler] = monotonic() + self._outages.note(claimed.handler, error)"
            ),
            (
                "self._note(Outcome(claimed, error))\n"
                "self._away_until[claimed.handler] = monotonic() + self._outages.note(claimed.handler, error)"
            ),
        ),
    ],
    "tests/composition/test_delivery.py": [
        ("RELAY_IN_SERVICE", "EventDelivery.running", "self.settings.relay_in_service", "True"),
        ("RELAY_POLL_SECONDS", "EventDelivery._relay", "self.settings.relay_poll_seconds", "60.0"),
        (
            "delivery/handlers that are gone are told",
            "EventDelivery.running",
            "await self._warn_of_orphans(self._handlers(bus, exchange))",
            "pass",
        ),
        (
            "delivery/handlers that are here are not told",
            "_warn_of",
            "if missing:",
            "if 1:",
        ),
        (
            "delivery/a start waits for its warnings",
            "EventDelivery._warn_of_orphans",
            "asyncio.timeout(ORPHANS_PATIENCE_SECONDS)",
            "asyncio.timeout(None)",
        ),
        (
            "a service without a broker hears of nobody",
            "EventDelivery.running",
            "self._log_foreign_events_not_received(bus)",
            "pass",
        ),
    ],
    "proofs/composition/test_doors.py": [
        (
            "the start tells who is open",
            "running_service",
            "await tell_doors(bus, await container.get(Database))",
            "pass",
        ),
        (
            "a permission of no role",
            "permissions_of_nobody",
            "not _is_held(one, policy['resource_id_field'], held)",
            "False and (not _is_held(one, policy['resource_id_field'], held))",
        ),
        (
            "a permission for one's own needs a field",
            "_is_held",
            "resource_id_field is not None and anybodys + OWN in held",
            "anybodys + OWN in held",
        ),
    ],
    "proofs/core/cqrs/test_tags.py": [
        ("a bus is complete", "make_bus", "bus.complete((await container.get(EventTypes)).classes.values())", "pass"),
    ],
    "proofs/core/test_left_out.py": [
        ("what lies elsewhere", "_found", "require_found((DOMAIN, HANDLERS, *handlers), 'app')", "pass"),
    ],
    "proofs/core/cqrs/test_true_causes.py": [
        (
            "an operation's dependency",
            "missing_dependency",
            "any((factory.scope is Lifetime.OPERATION for factory in error.suggest_other_scopes))",
            "False and any((factory.scope is Lifetime.OPERATION for factory in error.suggest_other_scopes))",
        ),
    ],
    "proofs/core/test_bounds_of_settings.py": [
        ("settings: a slip in the environment is told", "_tell_start", "misspelt_variables()", "()"),
    ],
    "tests/composition/test_consumer.py": [
        (
            "events/what a class makes of a message is refused",
            "decode",
            "_storable(*taken[0])",
            "_received(taken[0][0].event_type, normal_source(str(taken[0][0].event_source)), taken[0][1])",
        ),
        ("events/what is skipped floods the log", "Consumer._warn_of_skipped", "monotonic() < self._warns_at", "False"),
        ("events/what no class names keeps its place", "decode", "_skipped(message, types)", "None"),
        (
            "delivery/an event is found by its source",
            "_named",
            "types.find(name.removeprefix(f'{source}.'), source)",
            "types.find(name.removeprefix(f'{source}.'), None)",
        ),
    ],
    "proofs/composition/test_cloud_events.py": [
        ("encode(causationdepth)", "encode", "event.metadata.get('depth') or None", "None"),
        (
            "events/whoever asked is told to others",
            "encode",
            "said.items()",
            "(said | {'userid': event.metadata.get('user_id')}).items()",
        ),
        ("encode(previous)", "encode", "padded(previous)", "None"),
        ("encode(service)", "encode", "f'{service}.{event.event_type}'", "f'app.{event.event_type}'"),
        ("events/one sender's ids are another's", "event_id", "made.int", "sent.int"),
        ("events/several classes take one message", "decode", "1", "9"),
        ("events/a version before which it comes itself", "_received", "previous >= version", "previous > version"),
        ("events/text that no index takes", "text_of", "text.encode()", "text"),
        (
            "events/a number that is none in JSON",
            "check_storable",
            "json.dumps(values, allow_nan=False, ensure_ascii=False)",
            "json.dumps(values, ensure_ascii=False)",
        ),
        ("events/half a character from outside is no JSON", "decode", "taken and (not is_storable)", "False"),
        ("events/NUL from outside", "check_storable", "has_nul(values)", "False"),
    ],
    "proofs/core/cqrs/test_storage_start.py": [
        (
            "storage: the start",
            "_found",
            "(event for discovered in found for event in discovered.events)",
            "()",
        ),
    ],
    "proofs/core/cqrs/test_names.py": [
        ("names: start", "_found", "check_aggregates(of_service)", "pass"),
    ],
}
