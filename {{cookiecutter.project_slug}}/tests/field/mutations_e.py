"""Guards of what stands at the edge: bodies, the protocol, WebSockets, logs."""

from tests.mutation import Mutation, outside

BODIES = "field/test_bodies.py"


def storable(name: str, old: str, new: str) -> Mutation:
    """A mutation of what a body may hold."""
    return outside(f"storable({name})", "api/storable.py", old, new, BODIES)


MUTATIONS = [
    storable("sent text", "if (problem := text_problem(sent, len(sent))) is not None:", "if False:"),
    storable("sent keys", "if (problem := text_problem(str(key), len(str(key)))) is not None:", "if False:"),
    storable("depth", "if len(at) > DEEPEST:", "if False:"),
    storable("sent numbers", "isinstance(sent, float) and not math.isfinite(sent)", "False"),
    storable("keys that are the same", "len(sent) != len(made):\n        yield", "False:\n        yield"),
    storable("true is no 1", "isinstance(sent, bool) and not isinstance(made, bool)", "False"),
    storable("integers", "case int() if not LEAST_INT <= made <= LARGEST_INT:", "case int() if False:"),
    storable("numbers", "case float() if not math.isfinite(made):", "case float() if False:"),
    storable("digits", "> MOST_DIGITS:", "> 10**9:"),
    storable("what a float holds", "> EXACT_DIGITS:", "> 10**9:"),
    storable("dates of numbers", 'isinstance(sent, str) and "-" not in sent', "False"),
    storable("zones", "if made.tzinfo is None:", "if False:"),
    storable("years", 'except OverflowError:\n        return "must', 'except ZeroDivisionError:\n        return "must'),
    storable("zones of times", "case time() if made.tzinfo is not None:", "case time() if False:"),
    storable("durations", "case timedelta() if not _fits(made):", "case timedelta() if False:"),
    outside("Body(strict)", "api/models.py", "to_json(sent), strict=True", "to_json(sent), strict=False", BODIES),
    outside("parameters", "api/routing.py", "if not errors and not isinstance(made, Body):", "if False:", BODIES),
]
