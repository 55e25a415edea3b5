"""Mutations of the policies and of the middleware."""

TURN = """async with self._cache.loading(key, generation) as another_process_did:
    if not another_process_did:
        return await load()
    entry = await self._cache.get(key)
    if entry is not None and _read(entry, key, query, self._codec) is not None:
        return entry.value, False
"""
"""The body of `_Misses.load.load_in_turn`, without its last line."""

MUTATIONS = {
    "tests/core/cqrs/policies/test_transactional.py": [
        (
            "a dry run is refused as the command is",
            "Transactional.step.in_transaction",
            "await unit.rehearse()",
            "pass",
        ),
        (
            "policies of all bases",
            "policies_of",
            "reversed(handler.__mro__)",
            "(handler,)",
        ),
        (
            "transactional(isolation_level)",
            "Transactional.step.in_transaction",
            "units.open(self.isolation_level)",
            "units.open(None)",
        ),
        (
            "transactional(isolation_level), inside another",
            "Transactional.step.in_transaction",
            "self._require_fit(plan, attempt)",
            "pass",
        ),
        (
            "transactional(rollback_on) listed",
            "Transactional.commits_despite",
            "(*self.rollback_on, *ALWAYS_ROLLED_BACK)",
            "ALWAYS_ROLLED_BACK",
        ),
        (
            "transactional(rollback_on) not listed",
            "Transactional.commits_despite",
            "not isinstance(error, (*self.rollback_on, *ALWAYS_ROLLED_BACK))",
            "False",
        ),
        (
            "transactional: always rolled back",
            "Transactional.commits_despite",
            "(*self.rollback_on, *ALWAYS_ROLLED_BACK)",
            "self.rollback_on",
        ),
        (
            "transactional: database errors roll back",
            "Transactional.commits_despite",
            "error.must_roll_back",
            "False",
        ),
        (
            "transactional(commit_on_success)",
            "Transactional.step.in_transaction",
            "self.commit_on_success",
            "True",
        ),
        (
            "transactional(commit_on_success), on an error",
            "Transactional._kept",
            "self.commit_on_success and self.commits_despite(error)",
            "self.commits_despite(error)",
        ),
    ],
    "tests/core/cqrs/policies/test_authorize.py": [
        (
            "authorize(permissions)",
            "Authorize._grant",
            "permission in grants.permissions",
            "True",
        ),
        (
            "authorize(resource_id_field)",
            "Authorize._grant",
            "owner is not None and str(owner) == str(message.metadata.user_id)",
            "True",
        ),
        (
            "authorize(allow_admin_override)",
            "Authorize.step.require_permission",
            "self.allow_admin_override and grants.is_admin",
            "grants.is_admin",
        ),
        (
            "authorize: the override is audited",
            "_note_override",
            "audit_log.info",
            "lambda *_, **__: None",
        ),
        (
            "authorize: nobody is unauthenticated",
            "authentication.require_caller",
            "message.metadata.user_id is None",
            "False",
        ),
        (
            "authorize: permissions are read once for all that is dispatched for a caller",
            "Authorize.step.require_permission",
            "_grants_around(operation, user_id) if nested else None",
            "None",
        ),
        (
            "authorize: the permissions around are those of the same caller",
            "_grants_around",
            "grants is not None and around._message.metadata.user_id == user_id",
            "grants is not None",
        ),
    ],
    "tests/core/cqrs/policies/test_cached_query.py": [
        (
            "cached_query: a failed hook",
            "_Misses.load.load",
            "result._outcome.is_partial",
            "False",
        ),
        (
            "cached_query: ambiguous keys",
            "CachedQuery.check",
            'require_distinct(plan, self.vary_by, "the cache key is made of the query\'s fields as JSON")',
            "pass",
        ),
        (
            "cached_query(ttl_seconds)",
            "CachedQuery.__post_init__",
            "self.ttl_seconds if ttl_delta is None else ttl_delta.total_seconds()",
            "None if ttl_delta is None else ttl_delta.total_seconds()",
        ),
        (
            "cached_query(ttl_delta)",
            "CachedQuery.__post_init__",
            "self.ttl_seconds if ttl_delta is None else ttl_delta.total_seconds()",
            "self.ttl_seconds",
        ),
        (
            "cached_query(cache_null_results)",
            "_Misses.load.load",
            "result.data is not None or self._policy.cache_null_results",
            "result.data is not None",
        ),
        (
            "cached_query(cache_null_results), off",
            "_Misses.load.load",
            "result.data is not None or self._policy.cache_null_results",
            "True",
        ),
        (
            "cached_query(vary_by)",
            "CachedQuery.key_of",
            "canonical_json(query, None if self.vary_by is None else tuple(self.vary_by))",
            "canonical_json(query)",
        ),
        (
            "cached_query: a release with other tags has other keys",
            "CachedQuery.key_of",
            "(caller, varying, self.tags, self._ttl)",
            "(caller, varying, self._ttl)",
        ),
        (
            "cached_query: a release with another ttl has other keys",
            "CachedQuery.key_of",
            "(caller, varying, self.tags, self._ttl)",
            "(caller, varying, self.tags)",
        ),
        (
            "cached_query(cache_key_prefix)",
            "CachedQuery.key_of",
            "f'{self.cache_key_prefix}{query.query_name}:{hashlib.sha256(parts).hexdigest()}'",
            "f'{query.query_name}:{hashlib.sha256(parts).hexdigest()}'",
        ),
        (
            "cached_query, what another process loaded",
            "_Misses.load.load_in_turn",
            "entry is not None",
            "entry is None",
        ),
        (
            "cached_query(tags)",
            "_Misses.load",
            "filled_tags(self._policy.tags, query)",
            "set[str]()",
        ),
        (
            "cached_query(scope='public')",
            "CachedQuery.key_of",
            "'*' if self.scope == 'public' else f\"={query.metadata.user_id or ''}\"",
            "f\"={query.metadata.user_id or ''}\"",
        ),
        (
            "cached_query(scope='principal')",
            "CachedQuery.key_of",
            "'*' if self.scope == 'public' else f\"={query.metadata.user_id or ''}\"",
            "'*'",
        ),
        (
            "cached_query: one of many loads",
            "_Misses.load",
            "self._flights.fly(f'{key} {generation!r}', loading)",
            "load_in_turn()",
        ),
        (
            "cached_query: no load from before a change is joined",
            "_Misses.load",
            "f'{key} {generation!r}'",
            "key",
        ),
        (
            "cached_query: nothing stale is stored",
            "_Misses.load.load",
            "generation",
            "await self._cache.generation(tags)",
        ),
        (
            "cached_query: get_cache_ttl wins",
            "CachedQuery.ttl_of",
            "self._ttl if own is None else float(own)",
            "self._ttl",
        ),
        (
            "cached_query: get_cache_key replaces the fields",
            "CachedQuery.key_of",
            "canonical_json(query, None if self.vary_by is None else tuple(self.vary_by)) if own is None else own",
            "canonical_json(query, None if self.vary_by is None else tuple(self.vary_by))",
        ),
        (
            "cached_query: no stored answer inside a transaction",
            "CachedQuery.step.cached",
            "attempt is not None and attempt.unit is not None",
            "False",
        ),
        (
            "cached_query: who waited for another process gives his turn back",
            "_Misses.load.load_in_turn",
            f"{TURN}return await load()",
            f"{TURN}    return await load()",
        ),
        (
            "cached_query: what is not kept waits for no turn",
            "_Misses.load",
            "load_in_turn if ttl_seconds > 0 else load",
            "load_in_turn",
        ),
        (
            "cached_query: an unreadable entry is a miss",
            "_read",
            "ValueError",
            "ZeroDivisionError",
        ),
    ],
    "tests/core/cqrs/policies/test_invalidates.py": [
        (
            "invalidates(*tags)",
            "Invalidates.step.note_stale_tags",
            "_note(here(), filled_tags(self.tags, message))",
            "pass",
        ),
    ],
    "tests/core/cqrs/policies/test_retry_on_failure.py": [
        (
            "retry_on_failure: of what a task met",
            "OperationResult.to_error",
            "self._outcome.is_temporary",
            "False",
        ),
        (
            "retry_on_failure(max_attempts)",
            "RetryOnFailure.step.attempt_repeatedly",
            "self.max_attempts",
            "3",
        ),
        (
            "retry_on_failure(delay_seconds)",
            "RetryOnFailure.longest_wait",
            "self.delay_seconds",
            "1.0",
        ),
        (
            "retry_on_failure(backoff_multiplier)",
            "RetryOnFailure.longest_wait",
            "self.backoff_multiplier",
            "2.0",
        ),
        (
            "retry_on_failure(retry_on)",
            "RetryOnFailure.__post_init__",
            "(TransientError, ConcurrencyError) if self.retry_on is None else tuple(self.retry_on)",
            "(TransientError, ConcurrencyError)",
        ),
        (
            "retry_on_failure(retry_on), after the first",
            "RetryOnFailure.step.attempt_repeatedly",
            "errors",
            "errors if not failures else Exception",
        ),
        (
            "retry_on_failure: full jitter",
            "RetryOnFailure.step.attempt_repeatedly",
            "random.uniform(0, self.longest_wait(failures))",
            "self.longest_wait(failures)",
        ),
        (
            "retry_on_failure: each attempt gets what was sent",
            "RetryOnFailure.step.attempt_repeatedly",
            "_restore(sent, values)",
            "pass",
        ),
        (
            "retry_on_failure: nothing is committed twice",
            "attempt.in_attempt",
            "error.is_final = True",
            "pass",
        ),
        (
            "retry_on_failure: outermost only",
            "RetryOnFailure.step",
            "plan.nested or self.max_attempts == 1",
            "self.max_attempts == 1",
        ),
        (
            "nobody waits for a deadline that comes first",
            "RetryOnFailure.step.attempt_repeatedly",
            "ends is None or monotonic() + wait < ends",
            "True",
        ),
    ],
    "tests/core/cqrs/policies/test_idempotent.py": [
        (
            "idempotent: secrets",
            "_ordered",
            "_ordered(value.get_secret_value())",
            "str(value)",
        ),
        (
            "idempotent: ambiguous contents",
            "Idempotent.check",
            "require_distinct(plan, None, '@idempotent compares a repeated command with the first by its JSON')",
            "pass",
        ),
        (
            "idempotent(required)",
            "Idempotent.step.once",
            "self.required",
            "False",
        ),
        (
            "idempotent: the answer is stored",
            "Idempotent.step.once",
            "await unit.keep_answer(claim, stored)",
            "pass",
        ),
        (
            "idempotent: the first answer is what later ones are",
            "Idempotent.step.once",
            (
                "try:\n"
                "    stored = codec.write(await proceed(message))\n"
                "except CQRSError as error:\n"
                "    if policy is not None and policy.commits_despite(error):\n"
                "        await unit.keep_answer(claim, _failed(codec, error, message))\n"
                "    raise\n"
                "await unit.keep_answer(claim, stored)\n"
                "return codec.read(stored, CommandResult, message)"
            ),
            "own = await proceed(message)\nawait unit.keep_answer(claim, codec.write(own))\nreturn own",
        ),
        (
            "idempotent: a replay says so",
            "_replay",
            "codec.read(answered, CommandResult, message).with_outcome(is_replay=True, is_kept=True)",
            "codec.read(answered, CommandResult, message)",
        ),
        (
            "idempotent: a committed failure is stored",
            "Idempotent.step.once",
            "await unit.keep_answer(claim, _failed(codec, error, message))",
            "pass",
        ),
        (
            "idempotent: a bug is not told",
            "_failed",
            "error.status is OperationStatus.FAILED",
            "False",
        ),
        (
            "idempotent: a new field with a default changes nothing",
            "_claim",
            "canonical_json(message, given_names(message))",
            "canonical_json(message)",
        ),
        (
            "idempotent: another value than the default is another command",
            "given_names",
            "_written({name: getattr(message, name)}) != defaults[name]",
            "False",
        ),
        (
            "idempotent: a default that a function makes is no default",
            "_defaults_of",
            "isinstance(made_by := field.default_factory, type)",
            "(made_by := field.default_factory) is not MISSING",
        ),
        (
            "idempotent: callers are kept apart",
            "_claim",
            "caller",
            "''",
        ),
        (
            "idempotent: outermost only",
            "Idempotent.step.once",
            "plan.nested",
            "False",
        ),
    ],
    "tests/core/cqrs/policies/test_validate_input.py": [
        (
            "validate_input: what is false may have errors",
            "_checked.check_first",
            "found or type(found) is not dict",
            "found",
        ),
        (
            "validate_input(validator_func)",
            "_checks",
            "checks.append(policy.validator_func)",
            "pass",
        ),
        (
            "validate_input(schema_class)",
            "_checks",
            "checks.append(_schema_check(policy.schema_class, policy.strict))",
            "pass",
        ),
        (
            "validate_input(strict)",
            "_checks",
            "policy.strict",
            "True",
        ),
        (
            "validate_input(strict), the default",
            "ValidateInput",
            "strict: bool = True",
            "strict: bool = False",
        ),
        (
            "validate()",
            "_checks",
            "checks.append(own)",
            "pass",
        ),
    ],
    "tests/core/cqrs/policies/test_deadline.py": [
        (
            "a timeout of the handler's own is not the deadline's",
            "_limited",
            ("if not limit.expired():\n    raise"),
            "",
        ),
    ],
    "tests/core/cqrs/policies/test_deduplication.py": [
        (
            "a reaction in a transaction has an event once",
            "deduplication.once",
            "await attempt.unit.receive(event_id, name)",
            "1",
        ),
        (
            "a reaction without one too",
            "deduplication.once",
            (
                "if not await units.has_received(event_id, name):\n"
                "    await proceed(record)\n"
                "    await _note(units, event_id, name)"
            ),
            ("await proceed(record)\nawait _note(units, event_id, name)"),
        ),
        (
            "it is noted that it had it",
            "deduplication.once",
            "await _note(units, event_id, name)",
            "pass",
        ),
    ],
    "proofs/core/cqrs/test_done_work.py": [
        (
            "a slow close is not late",
            "_limited",
            "attempt is not None and attempt.committed is not None",
            "False",
        ),
    ],
    "proofs/core/cqrs/test_decorators.py": [
        (
            "a policy asks what it is on",
            "Policy.__call__",
            "require_handler(self.name(), handler)",
            "pass",
        ),
        (
            "@authorize without parentheses",
            "Authorize.__post_init__",
            "super().__post_init__()",
            "pass",
        ),
        (
            "@cached_query without parentheses",
            "CachedQuery.__post_init__",
            "super().__post_init__()",
            "pass",
        ),
        (
            "@idempotent without parentheses",
            "Policy.__post_init__",
            (
                "require_arguments(self.name(), f'@{self.name()}{self.example}', first if "
                "isinstance(first, tuple) else [first])"
            ),
            "pass",
        ),
        (
            "@invalidates without parentheses",
            "Invalidates.__init__",
            "self.__post_init__()",
            "pass",
        ),
        (
            "@retry_on_failure without parentheses",
            "RetryOnFailure.__post_init__",
            "super().__post_init__()",
            "pass",
        ),
        (
            "@transactional without parentheses",
            "Transactional.__post_init__",
            "super().__post_init__()",
            "pass",
        ),
        (
            "@validate_input without parentheses",
            "Policy.__post_init__",
            "[first]",
            "[]",
        ),
    ],
    "proofs/core/cqrs/test_tags.py": [
        (
            "mark_stale in a child task",
            "mark_stale",
            "(outer := current.get()) is not None",
            "(outer := current.get()) is not None and False",
        ),
    ],
    "proofs/core/cqrs/test_true_causes.py": [
        (
            "retries in a transaction",
            "RetryOnFailure.check",
            "plan.nested",
            "False",
        ),
    ],
    "proofs/core/cqrs/test_storage.py": [
        (
            "storage: kept answers",
            "CachedQuery.check",
            "() if plan.caches_itself else losses(plan.answer_type)",
            "()",
        ),
        (
            "storage: replayed answers",
            "Idempotent.check",
            "losses(plan.answer_type)",
            "()",
        ),
    ],
    "proofs/core/cqrs/test_names.py": [
        (
            "names: command",
            "_claim",
            "message.command_name",
            "str(type(message))",
        ),
        (
            "names: query",
            "CachedQuery.key_of",
            "f'{self.cache_key_prefix}{query.query_name}:{hashlib.sha256(parts).hexdigest()}'",
            "f'{self.cache_key_prefix}{type(query).__module__}:{hashlib.sha256(parts).hexdigest()}'",
        ),
    ],
}
