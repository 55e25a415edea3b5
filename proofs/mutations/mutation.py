"""Does a test notice when a parameter is taken and ignored? `make mutation` asks for each of them.

Each mutation takes the effect of one parameter, or of one fact about the pipeline, out of a copy of the service.
A mutation that no test notices, or whose text is not in the source any more, makes this fail. More of them stand in
`mutations_*.py`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from support.places import SERVICE

PROOFS = Path(__file__).parents[1]
AT_A_TIME = 2
LONGEST_SECONDS = 120
"""Of the tests of one mutation: a test that would wait for ever has noticed it."""


class Mutation(NamedTuple):
    """In `file`, `old` becomes `new`; `tests` have to notice. All paths are below `core/cqrs`, or are of `proofs`."""

    name: str
    file: str
    old: str
    new: str
    tests: str


def policy(name: str, file: str, old: str, new: str, tests: str | None = None) -> Mutation:
    """A mutation of a policy, which the tests of that policy have to notice."""
    return Mutation(name, f"policies/{file}.py", old, new, tests or f"policies/test_{file}.py")


def outside(name: str, file: str, old: str, new: str, tests: str) -> Mutation:
    """A mutation outside of the bus; its paths are those below `app` and `tests`."""
    return Mutation(name, f"../../{file}", old, new, tests if tests.startswith("proofs/") else f"../../{tests}")


MUTATIONS = [
    # command_handler, query_handler, event_handler
    Mutation(
        "command_handler(auto_register)",
        "registry.py",
        "Declaration(Kind.COMMAND, command, auto_register, timeout_seconds)",
        "Declaration(Kind.COMMAND, command, True, timeout_seconds)",
        "test_registry.py",
    ),
    Mutation(
        "command_handler(timeout_seconds)",
        "registry.py",
        "Declaration(Kind.COMMAND, command, auto_register, timeout_seconds)",
        "Declaration(Kind.COMMAND, command, auto_register, 30.0)",
        "policies/test_deadline.py",
    ),
    Mutation(
        "query_handler(auto_register)",
        "registry.py",
        "Declaration(Kind.QUERY, query, auto_register, timeout_seconds, cache_enabled)",
        "Declaration(Kind.QUERY, query, True, timeout_seconds, cache_enabled)",
        "test_registry.py",
    ),
    Mutation(
        "query_handler(timeout_seconds)",
        "registry.py",
        "Declaration(Kind.QUERY, query, auto_register, timeout_seconds, cache_enabled)",
        "Declaration(Kind.QUERY, query, auto_register, 15.0, cache_enabled)",
        "policies/test_deadline.py",
    ),
    Mutation(
        "query_handler(cache_enabled)",
        "registry.py",
        "Declaration(Kind.QUERY, query, auto_register, timeout_seconds, cache_enabled)",
        "Declaration(Kind.QUERY, query, auto_register, timeout_seconds, True)",
        "policies/test_cached_query.py",
    ),
    Mutation(
        "event_handler(in_transaction)",
        "registry.py",
        "in_transaction=in_transaction, name=name",
        "name=name",
        "test_events.py",
    ),
    # transactional
    policy(
        "transactional(isolation_level)",
        "transactional",
        "units.open(policy.isolation_level)",
        "units.open(None)",
    ),
    policy(
        "transactional(isolation_level), inside another",
        "transactional",
        "            _require_level(plan, policy, work)\n",
        "",
    ),
    policy(
        "transactional(rollback_on) listed",
        "transactional",
        "(*self.rollback_on, *ALWAYS_ROLLED_BACK)",
        "ALWAYS_ROLLED_BACK",
    ),
    policy(
        "transactional(rollback_on) not listed",
        "transactional",
        "            self.rollback_on is not None\n",
        "            False\n            and self.rollback_on is not None\n",
    ),
    policy(
        "transactional: always rolled back",
        "transactional",
        "(*self.rollback_on, *ALWAYS_ROLLED_BACK)",
        "self.rollback_on",
    ),
    policy(
        "transactional: database errors roll back",
        "transactional",
        "            and not error.must_roll_back\n",
        "",
    ),
    policy(
        "transactional(commit_on_success)",
        "transactional",
        "            if policy.commit_on_success:\n",
        "            if True:\n",
    ),
    policy(
        "transactional(commit_on_success), on an error",
        "transactional",
        "if policy.commit_on_success and policy.commits_despite(error)",
        "if policy.commits_despite(error)",
    ),
    # authorize
    policy(
        "authorize(permissions)",
        "authorize",
        "if permission in grants.permissions:",
        "if True:",
    ),
    policy(
        "authorize(resource_id_field)",
        "authorize",
        "return owner is not None and str(owner) == str(message.metadata.user_id)",
        "return True",
    ),
    policy(
        "authorize(allow_admin_override)",
        "authorize",
        "(policy.allow_admin_override and grants.is_admin)",
        "grants.is_admin",
    ),
    policy(
        "authorize: the override is audited",
        "authorize",
        "            audit_log.info(",
        "            str and dict(event=",
    ),
    policy(
        "authorize: nobody is unauthenticated",
        "authorize",
        "if message.metadata.user_id is None:",
        "if False:",
    ),
    # cached_query
    policy(
        "cached_query(ttl_seconds)",
        "cached_query",
        "if ttl_delta is not None else ttl_seconds\n",
        "if ttl_delta is not None else None\n",
    ),
    policy(
        "cached_query(ttl_delta)",
        "cached_query",
        "ttl_delta.total_seconds() if ttl_delta is not None else ttl_seconds\n",
        "ttl_seconds\n",
    ),
    policy(
        "cached_query(cache_null_results)",
        "cached_query",
        "(result.data is not None or policy.cache_null_results)",
        "result.data is not None",
    ),
    policy(
        "cached_query(cache_null_results), off",
        "cached_query",
        "(result.data is not None or policy.cache_null_results)",
        "True",
    ),
    policy(
        "cached_query(vary_by)",
        "cached_query",
        "canonical_json(query, self.vary_by)",
        "canonical_json(query)",
    ),
    policy(
        "cached_query(cache_key_prefix)",
        "cached_query",
        "{self.cache_key_prefix}{query.query_name}",
        "{query.query_name}",
    ),
    policy(
        "cached_query, what another process loaded",
        "cached_query",
        "if entry is not None and _read(",
        "if entry is None and _read(",
    ),
    Mutation(
        "cached_query, the seal",
        "wire.py",
        "if seal[:-1] != self._seal(stored):",
        "if not seal:",
        "test_wire.py",
    ),
    Mutation(
        "cached_query, what is sent as it is kept",
        "wire.py",
        'as_sent = b"=" if data == _sent(result.data) else b"-"',
        'as_sent = b"="',
        "policies/test_cached_query.py",
    ),
    policy(
        "cached_query(tags)",
        "cached_query",
        "tags, ttl_seconds = filled_tags(policy.tags, query), ",
        "tags, ttl_seconds = set[str](), ",
    ),
    policy(
        "cached_query(scope='public')",
        "cached_query",
        '"*" if self.scope == "public" else ',
        "",
    ),
    policy(
        "cached_query(scope='principal')",
        "cached_query",
        '"*" if self.scope == "public" else f"={query.metadata.user_id or \'\'}"',
        '"*"',
    ),
    policy(
        "cached_query: one of many loads",
        "cached_query",
        'await flights.fly(f"{key} {generation!r}", load_in_turn if ttl_seconds > 0 else load)',
        "await load_in_turn()",
    ),
    policy(
        "cached_query: no load from before a change is joined",
        "cached_query",
        'f"{key} {generation!r}"',
        "key",
    ),
    policy(
        "cached_query: nothing stale is stored",
        "cached_query",
        "await cache.set(key, stored, ttl_seconds, tags, generation)",
        "await cache.set(key, stored, ttl_seconds, tags, await cache.generation(tags))",
    ),
    policy(
        "cached_query: get_cache_ttl wins",
        "cached_query",
        "return self.ttl_seconds if own is None else float(own)",
        "return self.ttl_seconds",
    ),
    policy(
        "cached_query: get_cache_key replaces the fields",
        "cached_query",
        "canonical_json(query, self.vary_by) if own is None else own",
        "canonical_json(query, self.vary_by)",
    ),
    policy(
        "cached_query: no stored answer inside a transaction",
        "cached_query",
        "if work is not None and work.unit is not None:",
        "if False:",
    ),
    policy(
        "cached_query: who waited for another process gives his turn back",
        "cached_query",
        "            return await load()  # it kept nothing",
        "                return await load()  # it kept nothing",
    ),
    policy(
        "cached_query: what is not kept waits for no turn",
        "cached_query",
        "load_in_turn if ttl_seconds > 0 else load",
        "load_in_turn",
    ),
    policy(
        "authorize: permissions are read once for all that is dispatched for a caller",
        "authorize",
        "_grants_around(dispatch, user_id) if nested else None",
        "None",
    ),
    policy(
        "authorize: the permissions around are those of the same caller",
        "authorize",
        "if grants is not None and around._message.metadata.user_id == user_id:",
        "if grants is not None:",
    ),
    policy(
        "cached_query: an unreadable entry is a miss",
        "cached_query",
        "    except ValueError:",
        "    except ZeroDivisionError:",
    ),
    # invalidates, retry_on_failure, idempotent, validate_input
    policy(
        "invalidates(*tags)",
        "invalidates",
        "_note(dispatch, filled_tags(policy.tags, message))",
        "pass",
    ),
    policy(
        "retry_on_failure(max_attempts)",
        "retry_on_failure",
        "attempts=policy.max_attempts",
        "attempts=3",
    ),
    policy(
        "retry_on_failure(delay_seconds)",
        "retry_on_failure",
        "wait = self.delay_seconds * ",
        "wait = 1.0 * ",
    ),
    policy(
        "retry_on_failure(backoff_multiplier)",
        "retry_on_failure",
        "self.backoff_multiplier ** (failures - 1)",
        "2.0 ** (failures - 1)",
    ),
    policy(
        "retry_on_failure(retry_on)",
        "retry_on_failure",
        "(TransientError, ConcurrencyError) if retry_on is None else tuple(retry_on)",
        "(TransientError, ConcurrencyError)",
    ),
    policy(
        "retry_on_failure(retry_on), after the first",
        "retry_on_failure",
        "in_time and isinstance(error, policy.retry_on) and ",
        "in_time and ",
    ),
    policy(
        "retry_on_failure: full jitter",
        "retry_on_failure",
        "random.uniform(0, policy.longest_wait(failures))",
        "policy.longest_wait(failures)",
    ),
    policy(
        "retry_on_failure: nothing is committed twice",
        "retry_on_failure",
        "    error.is_final = True",
        "    error.is_final = False",
    ),
    policy(
        "retry_on_failure: outermost only",
        "retry_on_failure",
        "if policy is None or plan.nested or policy.max_attempts == 1:",
        "if policy is None or policy.max_attempts == 1:",
    ),
    policy(
        "idempotent(required)",
        "idempotent",
        "        if policy.required:\n",
        "        if False:\n",
    ),
    policy(
        "idempotent: the answer is stored",
        "idempotent",
        "        await work.unit.keep_answer(claim, stored)\n",
        "",
    ),
    policy(
        "idempotent: the first answer is what later ones are",
        "idempotent",
        "codec.write(await proceed(message))\n        await work.unit.keep_answer(claim, stored)\n        return codec",
        "codec.write(own := await proceed(message))\n        await work.unit.keep_answer(claim, stored)\n"
        "        return own or codec",
    ),
    policy(
        "idempotent: a replay says so",
        "idempotent",
        ".with_outcome(is_replay=True)",
        "",
    ),
    policy(
        "idempotent: callers are kept apart",
        "idempotent",
        "return Claim(caller, ",
        'return Claim("", ',
    ),
    policy(
        "idempotent: outermost only",
        "idempotent",
        "if policy is None or plan.nested:",
        "if policy is None:",
    ),
    policy(
        "validate_input(validator_func)",
        "validate_input",
        "checks.append(policy.validator_func)",
        "pass",
    ),
    policy(
        "validate_input(schema_class)",
        "validate_input",
        "checks.append(_schema_check(policy.schema_class, policy.strict))",
        "pass",
    ),
    policy(
        "validate_input(strict)",
        "validate_input",
        "_schema_check(policy.schema_class, policy.strict)",
        "_schema_check(policy.schema_class, True)",
    ),
    policy(
        "validate_input(strict), the default",
        "validate_input",
        "strict: bool = True\n",
        "strict: bool = False\n",
    ),
    policy(
        "validate()",
        "validate_input",
        "        checks.append(own)\n",
        "        pass\n",
    ),
    # CQRSBus
    Mutation(
        "CQRSBus(allow_handler_override)",
        "bus.py",
        "super().__init__(allow_handler_override, ",
        "super().__init__(False, ",
        "test_bus.py",
    ),
    *(
        Mutation(
            f"CQRSBus({parameter})",
            "bus.py",
            "Ports(scope, unit_of_work, cache, access, clock, tracer, reports)",
            "Ports(scope, unit_of_work, cache, access, clock, tracer, reports)".replace(parameter, "None"),
            "test_bus.py",
        )
        for parameter in ("scope", "unit_of_work", "cache", "access", "clock", "tracer")
    ),
    # The pipeline
    Mutation(
        "order: validation before authorisation",
        "pipeline.py",
        "    validation,\n    authorisation,\n",
        "    authorisation,\n    validation,\n",
        "test_stackings.py",
    ),
    Mutation(
        "order: authentication before validation",
        "pipeline.py",
        "    authentication,\n    validation,\n",
        "    validation,\n    authentication,\n",
        "test_stackings.py",
    ),
    Mutation(
        "order: authorisation before the cache",
        "pipeline.py",
        "    authorisation,\n    caching,\n",
        "    caching,\n    authorisation,\n",
        "test_stackings.py",
    ),
    Mutation(
        "order: a transaction for each attempt",
        "pipeline.py",
        "    retry,\n    attempt,\n    transaction,\n",
        "    attempt,\n    transaction,\n    retry,\n",
        "test_stackings.py",
    ),
    Mutation(
        "inside a handler a failure is raised",
        "pipeline.py",
        "if outer._is_running_here():",
        "if False:",
        "test_dispatch.py",
    ),
    Mutation(
        "a task that a handler starts is outermost again",
        "pipeline.py",
        "if outer._is_running_here():",
        "if True:",
        "test_dispatch.py",
    ),
    Mutation(
        "two tasks in one unit of work are refused",
        "work.py",
        "if self._task is not None and self._task is not current_task():",
        "if False:",
        "test_dispatch.py",
    ),
    Mutation(
        "a failed result rolls back",
        "attempt.py",
        "        raise returned_error(result)\n",
        "        return\n",
        "test_handlers.py",
    ),
    Mutation(
        "stale entries are dropped after the commit only",
        "follow_up.py",
        "if work.may_have_committed and (work.stored",
        "if (work.stored",
        "policies/test_invalidates.py",
    ),
    Mutation(
        "what follows the commit has no deadline",
        "pipeline.py",
        "    following,\n    deadline,\n",
        "    deadline,\n    following,\n",
        "policies/test_invalidates.py",
    ),
    Mutation(
        "events are delivered after the commit only",
        "events.py",
        "    work.stored = records\n",
        "",
        "test_events.py",
    ),
    Mutation(
        "a bug is told to nobody",
        "pipeline.py",
        'sentence = f"Something went wrong',
        'sentence = f"{error} Something went wrong',
        "test_errors.py",
    ),
    # the testing kit
    Mutation(
        "fail_commits(times)",
        "testing/failures.py",
        "(error or collision(), False) for _ in range(times)",
        "(error or collision(), False) for _ in range(1)",
        "testing/test_failures.py",
    ),
    Mutation(
        "fail_commits(error)",
        "testing/failures.py",
        "(error or collision(), False)",
        "(collision(), False)",
        "testing/test_failures.py",
    ),
    Mutation(
        "failing_commits(of)",
        "testing/seams.py",
        "        if isinstance(_handled_now(), of):\n            prepare(unit)\n",
        "        prepare(unit)\n",
        "testing/test_failures.py",
    ),
    Mutation(
        "a failed commit is rolled back",
        "testing/failures.py",
        "await (really_commit() if is_stored else unit.rollback())",
        "if is_stored:\n                await really_commit()",
        "testing/test_failures.py",
    ),
    Mutation(
        "a commit whose answer is lost is stored",
        "testing/failures.py",
        "await (really_commit() if is_stored else unit.rollback())",
        "await unit.rollback()",
        "testing/test_failures.py",
    ),
    Mutation(
        "crash_at(how)",
        "testing/crash_points.py",
        "_Crash(CrashPoint(point), how, nth)",
        "_Crash(CrashPoint(point), bool, nth)",
        "testing/test_crash_points.py",
    ),
    Mutation(
        "crash_at(nth)",
        "testing/crash_points.py",
        "_Crash(CrashPoint(point), how, nth)",
        "_Crash(CrashPoint(point), how, 1)",
        "testing/test_crash_points.py",
    ),
    Mutation(
        "tracked(timeout_seconds)",
        "testing/tracked.py",
        "run.quiet(timeout_seconds)",
        "run.quiet()",
        "testing/test_tracked.py",
    ),
    Mutation(
        "leaving a tracked run waits until it is quiet",
        "testing/tracked.py",
        "        await run.quiet(timeout_seconds)\n",
        "",
        "testing/test_tracked.py",
    ),
    Mutation(
        "a timeout of the handler's own is not the deadline's",
        "policies/deadline.py",
        "        if not limit.expired():\n            raise\n",
        "",
        "policies/test_deadline.py",
    ),
    policy(
        "nobody waits for a deadline that comes first",
        "retry_on_failure",
        "in_time and isinstance",
        "isinstance",
    ),
    # What happens to an event
    policy(
        "a reaction in a transaction has an event once", "once", "if await work.unit.receive(event_id, name):", "if 1:"
    ),
    policy("a reaction without one too", "once", "elif not await units.has_received(event_id, name):", "else:"),
    policy("it is noted that it had it", "once", "            await _note(units, event_id, name)\n", ""),
    Mutation(
        "events of an older shape are brought to today's",
        "event_types.py",
        "if version < event_class.event_version:",
        "if False:",
        "test_event_types.py",
    ),
    outside(
        "what waits behind a failure is not delivered before it",
        "persistence/events/outbox.py",
        ".where(of_these).distinct()",
        ".where(of_these, r.last_error.is_(None)).distinct()",
        "persistence/events/test_outbox.py",
    ),
    outside(
        "an outage is nobody's attempt",
        "composition/relay.py",
        "except BrokerDownError as error:",
        "except ZeroDivisionError as error:",
        "composition/test_relay.py",
    ),
    outside(
        "only the first event of an aggregate is claimed",
        "persistence/events/outbox.py",
        "now if is_first else None",
        "now",
        "persistence/events/test_outbox.py",
    ),
    outside(
        "EVENT_MAX_ATTEMPTS",
        "persistence/events/outbox.py",
        "claimed.attempts + 1 >= self._max_attempts and ",
        "",
        "persistence/events/test_outbox.py",
    ),
    outside(
        "EVENT_RETRY_SECONDS",
        "persistence/events/outbox.py",
        "min(self._retry_seconds * ",
        "min(1.0 * ",
        "persistence/events/test_outbox.py",
    ),
    outside(
        "RELAY_IN_SERVICE",
        "composition/delivery.py",
        "if self.settings.relay_in_service:",
        "if True:",
        "composition/test_delivery.py",
    ),
    outside(
        "RELAY_POLL_SECONDS",
        "composition/delivery.py",
        "poll_seconds=self.settings.relay_poll_seconds",
        "poll_seconds=60.0",
        "composition/test_delivery.py",
    ),
    outside(
        "an event of another service that failed keeps those behind it",
        "persistence/events/outbox.py",
        'for event in events\n            if event["aggregate_id"] is not None',
        'for event in events\n            if event["aggregate_id"] is not None and event["source"] == OWN',
        "persistence/events/test_outbox.py",
    ),
    outside(
        "what nobody can read is dead at once",
        "persistence/events/received_events.py",
        '"dead": True',
        '"dead": False',
        "composition/test_consumer.py",
    ),
    # the session of a unit of work
    outside(
        "a query inside a transaction adds no row",
        "persistence/engine/sessions.py",
        "if self._is_spoiled or (self._queries and _is_changed(self)):",
        "if self._queries and _is_changed(self):",
        "persistence/test_nested_reading.py",
    ),
    outside(
        "a query inside a transaction sends no statement",
        "persistence/engine/sessions.py",
        "if statement.is_insert or statement.is_update or statement.is_delete:",
        "if statement.is_insert or statement.is_delete:",
        "persistence/test_nested_reading.py",
    ),
    outside(
        "a query inside a transaction raises no event",
        "persistence/engine/sessions.py",
        " or self._raised() != raised",
        "",
        "persistence/test_nested_reading.py",
    ),
    outside(
        "a savepoint takes its events along",
        "persistence/engine/sessions.py",
        "before.events.get(key, 0)",
        "before.events.get(key, 1)",
        "persistence/test_unit_of_work.py",
    ),
]


def every_mutation() -> list[Mutation]:
    """The mutations above, and those of the modules beside this one."""
    modules = [import_module(f"mutations.{file.stem}") for file in sorted(PROOFS.glob("mutations/mutations_*.py"))]
    return [*MUTATIONS, *(mutation for module in modules for mutation in module.MUTATIONS)]


class Outcome(NamedTuple):
    """What the tests said to a mutation."""

    mutation: Mutation
    caught_by: str | None


def tried(mutation: Mutation) -> Outcome:
    """Run the tests on a mutated copy of the service; the name of the first that fails, if one does."""
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        mutate(copy, mutation)
        pytest = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
        of_proofs = mutation.tests.startswith("proofs/")
        tests = f"../{mutation.tests}" if of_proofs else f"tests/core/cqrs/{mutation.tests}"
        path = os.pathsep.join([str(copy), str(copy.parent / "proofs")])
        try:
            process = subprocess.run(
                [*pytest, "-c", "pyproject.toml", "--rootdir=..", tests],
                cwd=copy,
                env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                timeout=LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Outcome(mutation, f"no end within {LONGEST_SECONDS} s")
    failed = [line for line in process.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if process.returncode not in (0, 1):
        sys.exit(f"{mutation.name}: the tests did not run.\n{process.stdout}{process.stderr}")
    return Outcome(mutation, failed[0].split(" - ")[0].rsplit("::", 1)[-1] if failed else None)


def copied(folder: Path) -> Path:
    """A copy of the service, as much as the tests need, and of the proofs beside it."""
    copy = folder / "service"
    for part in ("app", "migrations", "tests"):
        shutil.copytree(SERVICE / part, copy / part)
    shutil.copy2(SERVICE / "pyproject.toml", copy)
    shutil.copytree(PROOFS, folder / "proofs")
    return copy


def mutate(copy: Path, mutation: Mutation) -> None:
    """Replace the text."""
    file = copy / "app/core/cqrs" / mutation.file
    file.write_text(file.read_text().replace(mutation.old, mutation.new))


def misplaced(mutations: Iterable[Mutation]) -> list[str]:
    """What is wrong with mutations whose text is not exactly once in the source."""
    found = [(one, (SERVICE / "app/core/cqrs" / one.file).read_text().count(one.old)) for one in mutations]
    return [
        f"{one.name}: {one.old!r} is {times} times in {one.file}, and has to be there once."
        for one, times in found
        if times != 1
    ]


def main(wanted: str = "") -> int:
    """Try all mutations, or those whose name has `wanted` in it, and print what caught each."""
    chosen = [mutation for mutation in every_mutation() if wanted in mutation.name]
    if wrong := misplaced(chosen):
        sys.exit("\n".join(wrong))
    width = max(len(mutation.name) for mutation in chosen)
    survivors = 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for outcome in pool.map(tried, chosen):
            survivors += outcome.caught_by is None
            print(f"{outcome.mutation.name:{width}}  {outcome.caught_by or 'NOBODY NOTICED'}", flush=True)  # noqa: T201
    print(f"{len(chosen)} mutations, {survivors} that nobody noticed.")  # noqa: T201
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
