"""Mutations of what says whose events are whose, and what leaves."""

from tests.mutation import outside

CODEC = "field/test_cloud_events.py"
WHOSE = "field/test_whose_events.py"

MUTATIONS = [
    outside(
        "events/whoever asked is told to others",
        "core/cloud_events.py",
        '"correlationid": event.metadata.get("correlation_id")',
        '"correlationid": event.metadata.get("correlation_id"), "userid": event.metadata.get("user_id")',
        CODEC,
    ),
    outside(
        "encode(previous)",
        "core/cloud_events.py",
        '"previous": _padded(previous)',
        '"previous": None',
        CODEC,
    ),
    outside(
        "encode(service)",
        "core/cloud_events.py",
        'return f"{service}.{event_type}"',
        'return f"app.{event_type}"',
        CODEC,
    ),
    outside(
        "events/one sender's ids are another's",
        "core/cloud_events.py",
        "made.int & (2**64 - 1)",
        "sent.int & (2**64 - 1)",
        CODEC,
    ),
    outside(
        "events/the source of a message does not matter",
        "core/cqrs/event_types.py",
        "self._classes.get((source and normal_source(source), event_type))",
        "next((found for (_, name), found in self._classes.items() if name == event_type), None)",
        CODEC,
    ),
    outside(
        "events/names of services are compared letter by letter",
        "core/cqrs/event_types.py",
        'return re.sub(r"[-_.]+", "-", source).lower() if LOOKS_LIKE_A_NAME.fullmatch(source) else source',
        "return source",
        CODEC,
    ),
    outside(
        "events/several classes take one message",
        "core/cloud_events.py",
        "if len(taken) > 1:",
        "if len(taken) > 9:",
        CODEC,
    ),
    outside(
        "events/a version before which it comes itself",
        "core/cloud_events.py",
        "previous >= version:",
        "previous > version:",
        CODEC,
    ),
    outside(
        "events/text that no index takes",
        "core/cloud_events.py",
        "len(text.encode()) > LONGEST_BYTES",
        "len(text) > LONGEST_BYTES",
        CODEC,
    ),
    outside(
        "events/a number that is none in JSON",
        "core/cloud_events.py",
        "json.dumps(values, allow_nan=False)",
        "json.dumps(values)",
        CODEC,
    ),
    outside(
        "events/NUL from outside",
        "core/cloud_events.py",
        "if has_nul(values):",
        "if False:",
        CODEC,
    ),
    outside(
        "events/what derives from a public event is public",
        "core/cqrs/messages.py",
        'if "public" not in cls.__dict__ and cls.public:',
        "if False:",
        WHOSE,
    ),
    outside(
        "events/another's event is told to others",
        "core/cqrs/messages.py",
        "(cls.public or not cls.event_source.strip())",
        "not cls.event_source.strip()",
        WHOSE,
    ),
    outside(
        "events/nobody's JSON",
        "core/cqrs/messages.py",
        'if cls.event_source is None and "from_foreign" in cls.__dict__:',
        "if False:",
        WHOSE,
    ),
    outside(
        "events/another's event happens here",
        "core/cqrs/aggregate.py",
        "if event.event_source is not None:",
        "if False:",
        WHOSE,
    ),
    outside(
        "events/a reaction in another's transaction",
        "core/cqrs/registrations.py",
        'if declaration.in_transaction and getattr(message, "event_source", None) is not None:',
        "if False:",
        WHOSE,
    ),
]
