"""What is stored is what was told, and names on record."""

from tests.mutation import Mutation, outside


def storage(name: str, file: str, old: str, new: str) -> Mutation:
    """A mutation of what is looked at before anything is stored."""
    return outside(f"storage: {name}", f"core/cqrs/{file}.py", old, new, "field/test_storage.py")


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
        "core/container.py",
        "check_events(event for discovered in found for event in discovered.events)",
        "check_events(())",
        "field/test_storage_start.py",
    ),
]
