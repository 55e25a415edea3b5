"""The guards of transactions, tasks, versions and groups of errors, each taken out."""

from mutations.mutation import Mutation, outside

WHOLE, TASKS, VERSIONS = (
    "proofs/persistence/test_whole_or_nothing.py",
    "proofs/core/cqrs/test_tasks.py",
    "proofs/persistence/test_versions.py",
)
GROUPS = "proofs/core/cqrs/test_groups.py"
DONE = "proofs/core/cqrs/test_done_work.py"

MUTATIONS: list[Mutation] = [
    outside(
        "a failed statement is noted",
        "persistence/engine/sessions.py",
        "told_of_failures[connection] = self.fail",
        "pass",
        WHOLE,
    ),
    outside(
        "a savepoint heals",
        "persistence/engine/sessions.py",
        "self.failure, self.changes = before.failure,",
        "self.failure, self.changes = self.failure,",
        WHOLE,
    ),
    outside(
        "a nested command that failed dooms",
        "core/cqrs/pipeline.py",
        "        work.unit.doom(error)\n",
        "        pass\n",
        WHOLE,
    ),
    outside(
        "a session that is over refuses", "persistence/engine/sessions.py", "if self.is_over and", "if False and", WHOLE
    ),
    outside(
        "a handler does not commit",
        "persistence/engine/sessions.py",
        "if self.is_of_unit and not",
        "if False and not",
        WHOLE,
    ),
    outside(
        "a task is refused",
        "core/cqrs/work.py",
        "work.unit is not None and work.committed is None",
        "False",
        TASKS,
    ),
    outside(
        "a refused task dooms", "core/cqrs/work.py", "            work.unit.doom(error)\n", "            pass\n", TASKS
    ),
    outside(
        "the background may send while the bus ends",
        "core/cqrs/compiled.py",
        "        if running() is not None or is_in_background():",
        "        if running() is not None:",
        TASKS,
    ),
    outside(
        "a change needs an event", "persistence/unit_of_work.py", "    session.changes.require_events()\n", "", VERSIONS
    ),
    outside(
        "a stream goes on",
        "persistence/engine/sessions.py",
        "            continue_streams(self, aggregates)\n",
        "            pass\n",
        VERSIONS,
    ),
    outside(
        "events are numbered before reactions inside see them",
        "persistence/unit_of_work.py",
        "if with_events and session.may_continue_streams:",
        "if False:",
        VERSIONS,
    ),
    outside(
        "an id is looked for that was made before",
        "persistence/engine/guarding.py",
        "int(moment * 1000) <= made_at <=",
        "made_at <=",
        VERSIONS,
    ),
    outside(
        "an id is looked for that a clock ahead made",
        "persistence/engine/guarding.py",
        "<= made_at <= int(time() * 1000)",
        "<= made_at",
        VERSIONS,
    ),
    outside(
        "an id that came twice in one unit is looked for",
        "persistence/engine/sessions.py",
        "stream in self._new_streams or not",
        "not",
        VERSIONS,
    ),
    outside(
        "a stream is known by its name on record",
        "persistence/engine/guarding.py",
        "streams = {(aggregate.aggregate_type, str(aggregate.id))",
        "streams = {(type(aggregate).__name__, str(aggregate.id))",
        VERSIONS,
    ),
    outside(
        "an aggregate is mapped with its version",
        "persistence/engine/guarding.py",
        "and not is_counted:",
        "and False:",
        VERSIONS,
    ),
    outside(
        "of several errors the most severe counts",
        "core/cqrs/groups.py",
        "worst = min(errors, key=_severity)",
        "worst = errors[0]",
        GROUPS,
    ),
    outside(
        "a foreign cancellation is a bug",
        "core/cqrs/groups.py",
        "if task is not None and not task.cancelling():",
        "if False:",
        GROUPS,
    ),
    outside(
        "a failing close changes no answer",
        "core/cqrs/attempt.py",
        '        tell_of("closing_failed", one, message, plan.ports.reports)',
        "        raise",
        DONE,
    ),
    outside(
        "a slow close is not late",
        "core/cqrs/policies/deadline.py",
        "if here is not None and here.committed is not None:",
        "if False:",
        DONE,
    ),
    outside(
        "publish_event opens a unit",
        "core/cqrs/bus.py",
        "if self.ports.units is not None:\n                (await",
        "if False:\n                (await",
        DONE,
    ),
]
