"""Mutations of the policies and of the middleware."""

MUTATIONS = {
    "tests/core/cqrs/policies/test_transactional.py": [
        (
            "transactional(isolation_level)",
            "transaction.in_transaction",
            "units.open(policy.isolation_level)",
            "units.open(None)",
        ),
        (
            "transactional(isolation_level), inside another",
            "transaction.in_transaction",
            "_require_level(plan, policy, work)",
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
            "self.rollback_on is not None",
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
            "not error.must_roll_back",
            "True",
        ),
        ("transactional(commit_on_success)", "transaction.in_transaction", "policy.commit_on_success", "True"),
        (
            "transactional(commit_on_success), on an error",
            "transaction._keep_or_undo",
            "policy.commit_on_success and policy.commits_despite(error)",
            "policy.commits_despite(error)",
        ),
    ],
    "tests/core/cqrs/policies/test_authorize.py": [
        ("authorize(permissions)", "_granted", "permission in grants.permissions", "True"),
        (
            "authorize(resource_id_field)",
            "_granted",
            "owner is not None and str(owner) == str(message.metadata.user_id)",
            "True",
        ),
        (
            "authorize(allow_admin_override)",
            "authorisation.require_permission",
            "policy.allow_admin_override and grants.is_admin",
            "grants.is_admin",
        ),
        (
            "authorize: the override is audited",
            "authorisation.require_permission",
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
            "authorisation.require_permission",
            "_grants_around(dispatch, user_id) if nested else None",
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
            "cached_query(ttl_seconds)",
            "cached_query.cached_query",
            "ttl_delta.total_seconds() if ttl_delta is not None else ttl_seconds",
            "ttl_delta.total_seconds() if ttl_delta is not None else None",
        ),
        (
            "cached_query(ttl_delta)",
            "cached_query.cached_query",
            "ttl_delta.total_seconds() if ttl_delta is not None else ttl_seconds",
            "ttl_seconds",
        ),
        (
            "cached_query(cache_null_results)",
            "_kept_in.cached.load",
            "result.data is not None or policy.cache_null_results",
            "result.data is not None",
        ),
        (
            "cached_query(cache_null_results), off",
            "_kept_in.cached.load",
            "result.data is not None or policy.cache_null_results",
            "True",
        ),
        ("cached_query(vary_by)", "CachedQuery.key_of", "canonical_json(query, self.vary_by)", "canonical_json(query)"),
        (
            "cached_query(cache_key_prefix)",
            "CachedQuery.key_of",
            "f'{self.cache_key_prefix}{query.query_name}:{hashlib.sha256(parts).hexdigest()}'",
            "f'{query.query_name}:{hashlib.sha256(parts).hexdigest()}'",
        ),
        (
            "cached_query, what another process loaded",
            "_kept_in.cached.load_in_turn",
            "entry is not None",
            "entry is None",
        ),
        ("cached_query(tags)", "_kept_in.cached", "filled_tags(policy.tags, query)", "set[str]()"),
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
            "_kept_in.cached",
            "flights.fly(f'{key} {generation!r}', load_in_turn if ttl_seconds > 0 else load)",
            "load_in_turn()",
        ),
        ("cached_query: no load from before a change is joined", "_kept_in.cached", "f'{key} {generation!r}'", "key"),
        ("cached_query: nothing stale is stored", "_kept_in.cached.load", "generation", "await cache.generation(tags)"),
        (
            "cached_query: get_cache_ttl wins",
            "CachedQuery.ttl_of",
            "self.ttl_seconds if own is None else float(own)",
            "self.ttl_seconds",
        ),
        (
            "cached_query: get_cache_key replaces the fields",
            "CachedQuery.key_of",
            "canonical_json(query, self.vary_by) if own is None else own",
            "canonical_json(query, self.vary_by)",
        ),
        (
            "cached_query: no stored answer inside a transaction",
            "_kept_in.cached",
            "work is not None and work.unit is not None",
            "False",
        ),
        (
            "cached_query: who waited for another process gives his turn back",
            "_kept_in.cached.load_in_turn",
            (
                "async with cache.loading(key, generation) as another_process_did:\n"
                "    if not another_process_did:\n"
                "        return await load()\n"
                "    entry = await cache.get(key)\n"
                "    if entry is not None and _read(entry, key, query, codec) is not None:\n"
                "        return entry.value\n"
                "return await load()"
            ),
            (
                "async with cache.loading(key, generation) as another_process_did:\n"
                "    if not another_process_did:\n"
                "        return await load()\n"
                "    entry = await cache.get(key)\n"
                "    if entry is not None and _read(entry, key, query, codec) is not None:\n"
                "        return entry.value\n"
                "    return await load()"
            ),
        ),
        (
            "cached_query: what is not kept waits for no turn",
            "_kept_in.cached",
            "load_in_turn if ttl_seconds > 0 else load",
            "load_in_turn",
        ),
        ("cached_query: an unreadable entry is a miss", "_read", "ValueError", "ZeroDivisionError"),
    ],
    "tests/core/cqrs/policies/test_invalidates.py": [
        (
            "invalidates(*tags)",
            "invalidation.note_stale_tags",
            "_note(dispatch, filled_tags(policy.tags, message))",
            "pass",
        ),
    ],
    "tests/core/cqrs/policies/test_retry_on_failure.py": [
        ("retry_on_failure(max_attempts)", "_again", "policy.max_attempts", "3"),
        ("retry_on_failure(delay_seconds)", "RetryOnFailure.longest_wait", "self.delay_seconds", "1.0"),
        ("retry_on_failure(backoff_multiplier)", "RetryOnFailure.longest_wait", "self.backoff_multiplier", "2.0"),
        (
            "retry_on_failure(retry_on)",
            "retry_on_failure.retry_on_failure",
            "(TransientError, ConcurrencyError) if retry_on is None else tuple(retry_on)",
            "(TransientError, ConcurrencyError)",
        ),
        (
            "retry_on_failure(retry_on), after the first",
            "_again.wait_after",
            "in_time and isinstance(error, policy.retry_on) and (not _is_final(error)) and wait",
            "in_time and (not _is_final(error)) and wait",
        ),
        (
            "retry_on_failure: full jitter",
            "_again.wait_after",
            "random.uniform(0, policy.longest_wait(failures))",
            "policy.longest_wait(failures)",
        ),
        ("retry_on_failure: nothing is committed twice", "mark_final", "True", "False"),
        (
            "retry_on_failure: outermost only",
            "retry",
            "policy is None or plan.nested or policy.max_attempts == 1",
            "policy is None or policy.max_attempts == 1",
        ),
        (
            "nobody waits for a deadline that comes first",
            "_again.wait_after",
            "in_time and isinstance(error, policy.retry_on) and (not _is_final(error)) and wait",
            "isinstance(error, policy.retry_on) and (not _is_final(error)) and wait",
        ),
    ],
    "tests/core/cqrs/policies/test_idempotent.py": [
        ("idempotent(required)", "_claim", "policy.required", "False"),
        ("idempotent: the answer is stored", "idempotency.once", "await work.unit.keep_answer(claim, stored)", "pass"),
        (
            "idempotent: the first answer is what later ones are",
            "idempotency.once",
            (
                "stored = codec.write(await proceed(message))\n"
                "await work.unit.keep_answer(claim, stored)\n"
                "return codec.read(stored, CommandResult, message)"
            ),
            (
                "stored = codec.write((own := (await proceed(message))))\n"
                "await work.unit.keep_answer(claim, stored)\n"
                "return own or codec.read(stored, CommandResult, message)"
            ),
        ),
        (
            "idempotent: a replay says so",
            "idempotency.once",
            "codec.read(answered, CommandResult, message).with_outcome(is_replay=True)",
            "codec.read(answered, CommandResult, message)",
        ),
        ("idempotent: callers are kept apart", "_claim", "caller", "''"),
        ("idempotent: outermost only", "idempotency", "policy is None or plan.nested", "policy is None"),
    ],
    "tests/core/cqrs/policies/test_validate_input.py": [
        ("validate_input(validator_func)", "_checks", "checks.append(policy.validator_func)", "pass"),
        (
            "validate_input(schema_class)",
            "_checks",
            "checks.append(_schema_check(policy.schema_class, policy.strict))",
            "pass",
        ),
        ("validate_input(strict)", "_checks", "policy.strict", "True"),
        ("validate_input(strict), the default", "validate_input.validate_input", "True", "False"),
        ("validate()", "_checks", "checks.append(own)", "pass"),
    ],
    "tests/core/cqrs/policies/test_deadline.py": [
        (
            "a timeout of the handler's own is not the deadline's",
            "_limited",
            ("if not limit.expired():\n    raise"),
            "",
        ),
    ],
    "tests/core/cqrs/policies/test_once.py": [
        (
            "a reaction in a transaction has an event once",
            "receiving.once",
            "await work.unit.receive(event_id, name)",
            "1",
        ),
        (
            "a reaction without one too",
            "receiving.once",
            (
                "if not await units.has_received(event_id, name):\n"
                "    await proceed(record)\n"
                "    await _note(units, event_id, name)"
            ),
            ("await proceed(record)\nawait _note(units, event_id, name)"),
        ),
        ("it is noted that it had it", "receiving.once", "await _note(units, event_id, name)", "pass"),
    ],
    "proofs/core/cqrs/test_done_work.py": [
        ("a slow close is not late", "_limited", "here is not None and here.committed is not None", "False"),
    ],
    "proofs/core/cqrs/test_decorators.py": [
        ("a policy asks what it is on", "record", "require_handler(decorator_of(type(policy)), handler)", "pass"),
        (
            "@authorize without parentheses",
            "authorize.authorize",
            "require_arguments('authorize', '@authorize(permissions=[\"user:read\"])', permissions)",
            "pass",
        ),
        (
            "@cached_query without parentheses",
            "cached_query.cached_query",
            "require_arguments('cached_query', '@cached_query()', ttl_seconds)",
            "pass",
        ),
        (
            "@idempotent without parentheses",
            "idempotent.idempotent",
            "require_arguments('idempotent', '@idempotent()', required)",
            "pass",
        ),
        (
            "@invalidates without parentheses",
            "invalidates.invalidates",
            "require_arguments('invalidates', '@invalidates(\"user:{user_id}\")', *tags)",
            "pass",
        ),
        (
            "@retry_on_failure without parentheses",
            "retry_on_failure.retry_on_failure",
            "require_arguments('retry_on_failure', '@retry_on_failure()', max_attempts)",
            "pass",
        ),
        (
            "@transactional without parentheses",
            "transactional.transactional",
            "require_arguments('transactional', '@transactional()', isolation_level)",
            "pass",
        ),
        (
            "@validate_input without parentheses",
            "validate_input.validate_input",
            "require_arguments('validate_input', '@validate_input(validator_func=...)', validator_func)",
            "pass",
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
        ("retries in a transaction", "RetryOnFailure.check", "plan.nested", "False"),
    ],
    "proofs/core/cqrs/test_storage.py": [
        ("storage: kept answers", "CachedQuery.check", "() if plan.caches_itself else losses(plan.answer_type)", "()"),
        ("storage: replayed answers", "Idempotent.check", "losses(plan.answer_type)", "()"),
    ],
    "proofs/core/cqrs/test_names.py": [
        ("names: command", "_claim", "command.command_name", "former"),
        (
            "names: former",
            "_claim",
            "Claim(caller, command.command_name, metadata.idempotency_key, canonical_json(message), former)",
            "Claim(caller, command.command_name, metadata.idempotency_key, canonical_json(message))",
        ),
        (
            "names: query",
            "CachedQuery.key_of",
            "f'{self.cache_key_prefix}{query.query_name}:{hashlib.sha256(parts).hexdigest()}'",
            "f'{self.cache_key_prefix}{type(query).__module__}:{hashlib.sha256(parts).hexdigest()}'",
        ),
    ],
}
