"""What is stored is what was told, and names on record."""

from mutations.mutation import Mutation, outside


def storage(name: str, file: str, old: str, new: str) -> Mutation:
    """A mutation of what is looked at before anything is stored."""
    return outside(f"storage: {name}", f"core/cqrs/{file}.py", old, new, "proofs/core/cqrs/test_storage.py")


MUTATIONS = [
    storage("bases", "storable_types", "if is_base and (derived := _subclasses(cls, known)):", "if (derived := []):"),
    storage("unions", "storable_types", "if _alike(one, other):", "if False:"),
    storage("excluded", "storable_types", 'if field.get("serialization_exclude"):', "if False:"),
    storage("InitVar", "storable_types", 'elif field.get("init_only"):', "elif False:"),
    storage("keys", "storable_types", "if len(forms) != 1 or forms[0].kind not in KEYS:", "if False:"),
    storage("enums", "storable_types", 'mode="json")) is member:', 'mode="json")) is member or True:'),
    storage("secrets", "storable_types", "list(dict.fromkeys(never + walk.found))", "walk.found"),
    storage("int or float", "storable_types", 'return kinds == {"int", "float"}', "return False"),
    storage("other type", "storable_values", "return None if _stands_for(told, kept, kind) else where", "return None"),
    storage("plain values", "storable_values", "return None if _equal(told, kept) else where", "return None"),
    storage("the hour twice", "storable_values", "told.astimezone(UTC) == kept.astimezone(UTC)", "told == kept"),
    storage("length", "storable_values", "is_derived = isinstance(told, kind) and", "is_derived ="),
    storage("infinity", "event_types", "from_json(written, allow_inf_nan=False)", "from_json(written)"),
    storage("NUL", "event_types", 'if changed is None and b"\\\\u0000" in written:', "if False:"),
    storage("zone", "event_types", "if changed is None and event.occurred_at.tzinfo is None:", "if False:"),
    storage("event", "event_types", "    changed = difference(event, kept)\n", "    changed = None\n"),
    storage("answer", "wire", "changed = difference(result.data, self._read(data))", "changed = None"),
    storage("kept answers", "policies/cached_query", "() if plan.caches_itself else losses(plan.answer_type)", "()"),
    storage("replayed answers", "policies/idempotent", "in losses(plan.answer_type):", "in ():"),
    storage(
        "large numbers", "event_types", "_as_kept(payload) if LARGE_NUMBER.search(written) else payload", "payload"
    ),
    storage("fakes", "testing/memory_units", "payload_of(record.event)  #", "pass  #"),
    outside(
        "storage: the start",
        "composition/container.py",
        "check_events(event for discovered in found for event in discovered.events)",
        "check_events(())",
        "proofs/core/cqrs/test_storage_start.py",
    ),
]


def names(name: str, file: str, old: str, new: str) -> Mutation:
    """A mutation of what goes by a name."""
    return outside(f"names: {name}", file, old, new, "proofs/core/cqrs/test_names.py")


def circles(name: str, file: str, old: str, new: str) -> Mutation:
    """A mutation of what runs once, and not for ever."""
    return outside(f"circles: {name}", file, old, new, "proofs/core/cqrs/test_circles.py")


MUTATIONS += [
    names(
        "command", "core/cqrs/policies/idempotent.py", "Claim(caller, command.command_name,", "Claim(caller, former,"
    ),
    names("former", "core/cqrs/policies/idempotent.py", "canonical_json(message), former)", "canonical_json(message))"),
    names("in time", "persistence/idempotency.py", 'bindparam("former"), _IS_GOOD)', 'bindparam("former"))'),
    names("found", "persistence/idempotency.py", ".where(_OF_EITHER, _IS_GOOD)", ".where(_OF_KEY)"),
    names("query", "core/cqrs/policies/cached_query.py", "{query.query_name}", "{type(query).__module__}"),
    names("aggregate", "core/cqrs/aggregate.py", "self.aggregate_type,", "type(self).__name__,"),
    names("stream", "persistence/events/event_sourcing.py", "kind.aggregate_type, str", "kind.__name__, str"),
    names("start", "composition/container.py", "check_aggregates(aggregates_in(found))", "aggregates_in(found)"),
    names("fields", "core/cqrs/messages.py", 'if "ClassVar" not in str(declared):', "if False:"),
    names("messages", "core/cqrs/names.py", "if other is not plan.message_type:", "if False:"),
    circles("steps", "core/cqrs/events.py", "if first.metadata.depth >= most:", "if first.metadata.depth >= 10**3:"),
    circles("commands", "core/cqrs/metadata.py", "            depth=self.depth,\n", ""),
    circles("stored", "persistence/events/stored_event.py", 'known.get("depth", 0) + 1', 'known.get("depth", 0)'),
    circles("memory", "core/cqrs/events.py", "self._deliver(record.following())", "self._deliver(record)"),
    circles(
        "nearest",
        "core/cqrs/registrations.py",
        "if lineage.index(one.declaration.message_type) < lineage.index(known.declaration.message_type):",
        "if False:",
    ),
]
