"""Mutations of persistence."""

MUTATIONS = {
    "tests/persistence/engine/test_connection_pool.py": [
        ("pool: newcomers wait, too", "_InOrder.get", "self._turn.locked() or self.empty()", "self.empty()"),
        ("pool: the next may wait", "_InOrder.get", "self._turn.release()", "pass"),
        ("pool: who came before gives up earlier", "_InOrder.get", "timeout - (monotonic() - began)", "timeout"),
    ],
    "tests/persistence/engine/test_shared_clock.py": [
        (
            "clocks: refresh tokens go by that of the database",
            "LoginSessions._now",
            "await shared_time(await self._session.connection(), self._clock.now)",
            "self._clock.now()",
        ),
        ("clocks: a sweeper that is ahead", "Sweeper.sweep", "min(now, self._clock.now())", "self._clock.now()"),
        ("clocks: one that is ahead is told", "shared_time", "before - now > NOTICED", "False"),
        ("clocks: one that is behind is told", "shared_time", "now - own() > NOTICED", "False"),
        ("clocks: a small difference is not told", "shared_time", "before - now > NOTICED", "before > now"),
        ("clocks: a difference is told once", "_tell_difference", "@lru_cache(maxsize=16)", ""),
    ],
    "tests/persistence/events/test_outbox.py": [
        (
            "what waits behind a failure is not delivered before it",
            "FanOut._streams_that_wait",
            "select(r.handler, r.source, r.aggregate_type, r.aggregate_id).where(of_these)",
            ("select(r.handler, r.source, r.aggregate_type, r.aggregate_id).where(of_these, r.last_error.is_(None))"),
        ),
        ("only the first event of an aggregate is claimed", "FanOut._hand_out", "now if is_first else None", "now"),
        (
            "EVENT_MAX_ATTEMPTS",
            "Retries.is_dead",
            "claimed.attempts + 1 >= self.max_attempts and (not _may_pass(error))",
            "not _may_pass(error)",
        ),
        ("EVENT_RETRY_SECONDS", "Retries.backoff", "self.seconds", "1.0"),
        (
            "an event of another service that failed keeps those behind it",
            "FanOut._streams_that_wait",
            "event['aggregate_id'] is not None",
            "event['aggregate_id'] is not None and event['source'] == OWN",
        ),
        (
            "outbox/what is done lets the next one go",
            "Outbox._store",
            "await promote(connection, {claimed.stream for claimed in done}, now)",
            "pass",
        ),
        (
            "outbox/only the first of a stream is let go",
            "_promotion",
            "and_(of_stream(r), r.due_at.is_(None), ~r.dead, r.version == lowest)",
            "and_(of_stream(r), r.due_at.is_(None), ~r.dead)",
        ),
        (
            "outbox/what is dead is not due",
            "Outbox._failure",
            "None if dead else now + timedelta(seconds=self._retries.backoff(attempts))",
            "now + timedelta(seconds=self._retries.backoff(attempts))",
        ),
        (
            "outbox/an event of ours that comes later is waited for",
            "first_of_our_own",
            "~has_earlier",
            "literal(True)",
        ),
        (
            "outbox/what waits for another release does not hide the rest",
            "FanOut._learn",
            "(first_of_the_oldest(handlers), first_of_our_own(handlers))",
            "(first_of_the_oldest(handlers),)",
        ),
        (
            "outbox/the oldest events are handed out in the order of their aggregates",
            "first_of_the_oldest",
            "head.version",
            "head.id",
        ),
        (
            "outbox/what another release knows is waited for",
            "first_of_our_own",
            "earlier.published_at.is_(None)",
            "earlier.published_at.is_(None) & (earlier.event_type == event.event_type)",
        ),
        (
            "outbox/what comes before at another service is waited for",
            "first_of_others",
            "or_(event.previous.is_(None), came, waited)",
            "literal(True)",
        ),
        (
            "outbox/what was not handed out did not come",
            "first_of_others",
            "before.version == event.previous, before.published_at.is_not(None)",
            "before.version == event.previous",
        ),
        (
            "outbox/what never comes is not waited for",
            "first_of_others",
            "or_(event.previous.is_(None), came, waited)",
            "or_(event.previous.is_(None), came)",
        ),
        (
            "outbox/what follows in an aggregate is handed out with it",
            "with_followers",
            "ready.union(following)",
            "ready",
        ),
        ("outbox/it is waited for a while", "FanOut._hand_out", "now - timedelta(seconds=GRACE_SECONDS)", "now"),
        ("outbox/aggregates of two services are two", "_promotion.of_stream", "row.source", "bindparam('of')"),
        (
            "outbox/others do not store what became of it",
            "_IS_MINE",
            "reactions.c.claimed_by == bindparam('me')",
            "(reactions.c.claimed_by == bindparam('me')) | (reactions.c.handler == reactions.c.handler)",
        ),
        ("outbox/a lease is renewed", "Outbox.renew", "until", "reactions.c.due_at"),
        (
            "outbox/a lease is given back",
            "Outbox.give_back",
            "mine.values(due_at=at_once(now), claimed_by=None)",
            "mine.values(due_at=reactions.c.due_at)",
        ),
        ("outbox/a clock that is set back makes nothing wait", "at_once", "now - STEP", "now"),
        ("outbox/no handler gets more than it may have", "due.due_for", "bindparam(f'free_{number}')", "100"),
        (
            "outbox/the oldest comes first",
            "due.due_for",
            "due.order_by(r.due_at, r.event_id)",
            "due.order_by(r.event_id.desc())",
        ),
        (
            "outbox/what may pass does not die",
            "Retries.is_dead",
            "claimed.attempts + 1 >= self.max_attempts and (not _may_pass(error))",
            "claimed.attempts + 1 >= self.max_attempts",
        ),
        ("outbox/who died is told", "Outbox.turn", "self._tell_dead(outcomes)", "pass"),
        (
            "outbox/a handler that is here is not gone",
            "without_handlers",
            "if handler not in (UNREADABLE, *handlers.get((source, event_type), ())):",
            "if 1:",
        ),
        (
            "outbox/a handler that does not react any more is told",
            "without_handlers",
            "handler not in (UNREADABLE, *handlers.get((source, event_type), ()))",
            "all(handler not in names for names in handlers.values())",
        ),
        (
            "outbox/a skipped event needs no class",
            "has_no_class",
            "tuple_(event.source, event.event_type).not_in(list(kinds)) & (event.event_type != SKIPPED)",
            "tuple_(event.source, event.event_type).not_in(list(kinds))",
        ),
    ],
    "tests/composition/test_consumer.py": [
        ("what nobody can read is dead at once", "keep_unreadable", "True", "False"),
        (
            "delivery/what comes twice is kept once",
            "keep",
            "replacing_marked(received_events.c.event_type, SKIPPED, connection.dialect.name)",
            "received_events.insert()",
        ),
        (
            "delivery/what had no class is received once it has one",
            "replacing_marked",
            "column == mark",
            "column != mark",
        ),
        (
            "delivery/what nobody reads is kept once",
            "keep_unreadable",
            "if_new(received_events, dialect)",
            "received_events.insert()",
        ),
        (
            "delivery/what nobody reads waits once",
            "keep_unreadable",
            "if_new(reactions, dialect)",
            "reactions.insert()",
        ),
    ],
    "tests/persistence/projections/test_live.py": [
        (
            "projections: a table has one owner",
            "projections_in",
            "_refuse_shared_tables(found.values())",
            "pass",
        ),
        (
            "projections: each folds the events of a known aggregate",
            "_found",
            "require_aggregates(projections, of_service)",
            "pass",
        ),
        (
            "projections: an event of another aggregate is refused",
            "ProjectionHandler._handle",
            "raised.aggregate_type != self.projection.aggregate_type",
            "False",
        ),
    ],
    "tests/composition/test_exchange.py": [
        (
            "what waits to be sent is sent twice",
            "_sent",
            "event.published_at.is_not(None), ~waits",
            "event.published_at.is_not(None)",
        ),
        ("what is not handed out is sent twice", "_sent", "event.published_at.is_not(None), ~waits", "~waits"),
    ],
    "tests/persistence/test_sweeping.py": [
        ("all is swept", "in_batches", "len(found) < FOUND_AT_ONCE", "True"),
        ("a predecessor is kept for its successor", "expiries", "~waits & _is_followed()", "~waits"),
        (
            "an event that waits or is dead keeps its data",
            "expiries",
            "~waits & (event.event_type != SKIPPED)",
            "event.event_type != SKIPPED",
        ),
        (
            "an event that was emptied is not written again",
            "expiries",
            "~waits & (event.event_type != SKIPPED)",
            "~waits",
        ),
        (
            "of a predecessor only its place is kept",
            "expiries",
            "PLACE_IN_ORDER",
            "{'event_type': SKIPPED}",
        ),
        (
            "a predecessor is kept until its successor was handed out",
            "_is_followed",
            "later.published_at.is_not(None)",
            "True",
        ),
    ],
    "tests/persistence/test_column_types.py": [
        ("money: an int is exact", "Money.process_bind_param", "Decimal(value)", "value"),
        ("money: a float is not", "Money.process_bind_param", "if isinstance(value, float):", "if False:"),
    ],
    "tests/persistence/projections/test_rebuilding.py": [
        ("projections: a log without events empties nothing", "require_events", "not folded", "False"),
        (
            "projections: writers are locked out while rows are replaced",
            "lock_out_writers",
            "session.get_bind().dialect.name == 'postgresql'",
            "False",
        ),
        (
            "projections: all that came meanwhile is folded",
            "Rebuilding._missing_pages",
            "range(0, len(places), BATCH)",
            "range(0, min(1, len(places)), BATCH)",
        ),
    ],
    "tests/persistence/projections/test_replacing.py": [
        ("projections: rows that are the same are left alone", "replace_rows", "~has_same", "has_same | ~has_same"),
        ("projections: what is equal may differ", "_same", "dialect.name == 'sqlite' or kind in EXACT", "True"),
        ("projections: a row is found by its whole key", "replace_rows", "~is_there", "is_there | ~is_there"),
    ],
    "tests/persistence/projections/test_projection.py": [
        ("projections: what is gone is withdrawn", "_difference", "{**had, **has}", "has"),
        (
            "projections: a column that shares leave out is 0",
            "_difference",
            "dict.fromkeys(value_columns(place[0]), 0)",
            "defaultdict(int)",
        ),
    ],
    "tests/persistence/test_nested_reading.py": [
        (
            "a query inside a transaction adds no row",
            "UnitSession.flush",
            "self._is_spoiled or (self._queries and self.is_changed())",
            "self._queries and self.is_changed()",
        ),
        (
            "a query inside a transaction sends no statement",
            "_refuse_change",
            "statement.is_insert or statement.is_update or statement.is_delete",
            "statement.is_insert or statement.is_delete",
        ),
        (
            "a query inside a transaction raises no event",
            "UnitSession.answering",
            "self.is_changed() or self._raised() != raised",
            "self.is_changed()",
        ),
    ],
    "tests/persistence/events/test_event_sourcing.py": [
        (
            "a rollback to a savepoint restores the state",
            "SavepointSession._undo",
            "_rewind(aggregate, stored if version is None else version)",
            "pass",
        ),
        (
            "the first event of a stream may collide, too",
            "_collision",
            """ConcurrencyError(f"There is a {kinds.pop().lower()} with this id already.")""",
            """ConflictError(f"There is a {kinds.pop().lower()} with this id already.")""",
        ),
        ("what was undone is not loaded", "is_unmade", "id(aggregate) in session.unmade", "False"),
        ("what was undone is not used", "SavepointSession._refuse_unmade", "id(aggregate) in self.unmade", "False"),
    ],
    "tests/persistence/test_unit_of_work.py": [
        ("a savepoint takes its events along", "SavepointSession._undo", "events or 0", "1"),
        ("a rollback reloads what it undid", "Savepoint.rollback", "await self._reload()", "pass"),
    ],
    "proofs/persistence/test_whole_or_nothing.py": [
        ("a failed statement is noted", "UnitSession.watch", "told_of_failures[connection] = self.fail", "pass"),
        ("a savepoint heals", "SavepointSession.undo_savepoint", "before.failure", "self.failure"),
        ("a session that is over refuses", "OperationSession.refuse_if_over", "self.is_over", "False"),
        ("a handler does not commit", "UnitSession.admit_commit", "self.is_of_unit", "False"),
    ],
    "proofs/persistence/test_lost_changes.py": [
        (
            "state and events/what a handler commits by a context is refused",
            "UnitSession.admit_commit",
            "self.is_of_unit and (not self.is_over) and (self.get_nested_transaction() is None)",
            "False",
        ),
        (
            "state and events/of what was dropped",
            "SqlUnitOfWork.collect_events",
            "await require_state(aggregate, self._session)",
            "pass",
        ),
        ("state and events/of what was expunged", "require_state", "mapped.session is None", "False"),
        ("state and events/of what was expired", "require_state", "not is_whole", "False"),
        ("state and events/of what is merged", "WholeStates.merge", '_refuse_events("merge()", [instance])', "pass"),
        (
            "state and events/of what is saved in bulk",
            "WholeStates.bulk_save_objects",
            '_refuse_events("bulk_save_objects()", kept)',
            "pass",
        ),
        (
            "an aggregate of an ended operation raises no event",
            "OperationSession.close",
            "vars(instance)['_is_over'] = True",
            "pass",
        ),
        (
            "an aggregate without a row does not either",
            "OperationSession.close",
            "(*self.identity_map.values(), *self.held())",
            "self.identity_map.values()",
        ),
        ("what was changed inside is stored", "UnitSession.flush", "flag_changes_inside(self)", "pass"),
        (
            "what was changed inside goes with its savepoint",
            "Savepoint.__aexit__",
            "flag_changes_inside(session)",
            "pass",
        ),
        ("a query changes nothing inside", "UnitSession.answering", "flag_changes_inside(self)", "pass"),
        ("what was changed inside after it was read", "_note_loaded", "_compare(instance)", "pass"),
    ],
    "proofs/persistence/test_versions.py": [
        ("a change needs an event", "UnitSession.require_committable", "self.changes.require_events()", "pass"),
        ("a stream goes on", "UnitSession.look_at_changes", "continue_streams(self, self.aggregates.values())", "pass"),
        (
            "events are numbered before reactions inside see them",
            "SqlUnitOfWork.collect_events",
            "session.may_continue_streams and session.with_events()",
            "False",
        ),
        (
            "an id is looked for that was made before",
            "is_made_since",
            "int(moment * 1000) <= made_at <= int(time() * 1000)",
            "made_at <= int(time() * 1000)",
        ),
        (
            "an id is looked for that a clock ahead made",
            "is_made_since",
            "int(moment * 1000) <= made_at <= int(time() * 1000)",
            "int(moment * 1000) <= made_at",
        ),
        (
            "an id that came twice in one unit is looked for",
            "UnitSession.note_new",
            "stream in self._new_streams or not is_made_since(self._began_at, instance.id)",
            "not is_made_since(self._began_at, instance.id)",
        ),
        (
            "a stream is known by its name on record",
            "continue_streams",
            "aggregate.aggregate_type",
            "type(aggregate).__name__",
        ),
        ("an aggregate is mapped with its version", "require_versions", "not is_counted", "False"),
    ],
    "tests/persistence/events/test_waiting_events.py": [
        ("metrics count without a limit", "_count", "rows.limit(at_most)", "rows"),
        ("metrics look at each event", "first_of", "first.order_by(reactions.c.event_id).limit(LOOKED_AT)", "first"),
        ("purge(handler)", "_to_be_purged", "true() if all_of_handler else reactions.c.dead", "reactions.c.dead"),
        ("purge(dead_only)", "_to_be_purged", "not choice.dead_only", "True"),
        (
            "delivery/what nobody can read is not tried again",
            "replay",
            "await _refuse_unreadable(database, ids, handler)",
            "pass",
        ),
        ("replay(handler)", "chosen", "true() if handler is None else r.handler == handler", "true()"),
        ("delivery/what was behind is let go", "_discard", "{tuple(row)[1:5] for row in found}", "set()"),
        ("delivery/all is changed at once", "in_batches", "found[start:start + BATCH]", "found[start:start + 9]"),
        ("delivery/the rest is found", "in_batches", "key < last", "key > last"),
        (
            "delivery/an event that is to go is let go before",
            "_purge_all",
            "in_batches(database, table, condition, newest_first=True)",
            "in_batches(database, table, condition)",
        ),
        (
            "delivery/what is being tried is left alone",
            "replay",
            "r.claimed_by.is_(None)",
            "true()",
        ),
    ],
    "proofs/persistence/engine/test_refused_connections.py": [
        (
            "errors: a connection that is refused for want of a right is an outage",
            "_translated",
            "known is None or isinstance(known, MissingRightError)",
            "known is None",
        ),
    ],
    "tests/persistence/engine/test_errors.py": [
        ("errors: a missing right is named", "classify", "state == '42501'", "False"),
        (
            "a database that refuses connections is a bug",
            "_translated",
            "is_unexplained and context.connection is None",
            "False",
        ),
        (
            "a database that only reads keeps its connections",
            "_translated",
            "isinstance(known, DatabaseOnlyReadsError)",
            "False",
        ),
    ],
    "tests/persistence/engine/test_postgresql_connections.py": [
        (
            "a URL that wants to write keeps queries from reading",
            "PostgresqlOptions.dsn",
            "self.target_session_attrs == 'read-write'",
            "False",
        ),
    ],
    "proofs/persistence/engine/test_pooler.py": [
        (
            "a pooler that leaves settings out is not noticed",
            "require_migrated",
            "await database.require_settings()",
            "pass",
        ),
        (
            "a database is migrated through a pooler that nobody told of",
            "_connected",
            "await postgresql.require_no_pooler(settings, engine)",
            "pass",
        ),
        (
            "a pooler that refuses settings is an outage",
            "_disconnected",
            "state == '08P01' and 'startup parameter' in text",
            "False",
        ),
        (
            "a pooler whose role has the right settings is not noticed",
            "require_no_pooler",
            "await connection.scalar(text('SELECT pg_backend_pid()')) != driver.get_server_pid()",
            "False",
        ),
        (
            "a pooler that tears transactions apart is an outage",
            "_disconnected",
            "STATEMENT_MODE in text",
            "False",
        ),
        (
            "what can never be is an outage if the connection is closed",
            "_translated",
            "not isinstance(known, ConfigurationError)",
            "True",
        ),
        (
            "no time-outs behind a pooler",
            "connect_args",
            "(f'SET LOCAL {name} TO {values[name]}' for name in values)",
            (
                "(f'SET LOCAL {name} TO {values[name]}' for name in values if name not in limits or name == "
                "'transaction_read_only')"
            ),
        ),
        ("a query behind a pooler may write", "reading_engine", "limits | {'transaction_read_only': 'on'}", "limits"),
        (
            "what has no transaction is executed behind a pooler",
            "require_transactions.require_transaction",
            "getattr(connection.connection.dbapi_connection, 'autocommit', False)",
            "False",
        ),
        (
            "what others left on a connection: read-only",
            "EVERY_TRANSACTION",
            "'transaction_read_only'",
            "'search_path'",
        ),
        (
            "what others left on a connection: another schema",
            "EVERY_TRANSACTION",
            "'search_path'",
            "'statement_timeout'",
        ),
        (
            "what others left on a connection: time-outs of migrations",
            "EVERY_TRANSACTION",
            "'lock_timeout'",
            "'idle_in_transaction_session_timeout'",
        ),
        (
            "what others left on a connection: another level",
            "_engine",
            "options['isolation_level'] = 'READ COMMITTED'",
            "pass",
        ),
        (
            "statements are left on connections that others get",
            "connect_args",
            "'statement_cache_size'",
            "'prepared_statement_cache_size'",
        ),
        (
            "a table that was changed is read as it was before, behind a pooler",
            "connect_args",
            "'prepared_statement_cache_size'",
            "'statement_cache_size'",
        ),
        (
            "a lock is left on a connection that others get",
            "alone",
            "func.pg_try_advisory_xact_lock",
            "func.pg_try_advisory_lock",
        ),
        (
            "who is alone for long is not alone any more",
            "alone",
            "await connection.execute(text('SET LOCAL idle_in_transaction_session_timeout = 0'))",
            "pass",
        ),
        (
            "one listens on a connection that others get",
            "listening",
            "database.is_sqlite or database.is_pooled",
            "database.is_sqlite",
        ),
        (
            "nobody is told that nobody listens",
            "listening",
            (
                "logger.info('listening_left_out', reason='DATABASE_POOLER is set: the relay polls every "
                "RELAY_POLL_SECONDS.')"
            ),
            (
                "str and dict(event='listening_left_out', reason='DATABASE_POOLER is set: the relay polls every "
                "RELAY_POLL_SECONDS.')"
            ),
        ),
        (
            "one moment is not asked for behind a pooler",
            "at_one_moment",
            "reading.has_snapshot",
            "reading.has_transaction",
        ),
    ],
    "proofs/persistence/schema/test_migrations.py::test_a_migration_lets_others_pass_while_it_waits_for_a_table": [
        (
            "a migration waits for a lock without end",
            "_patiently",
            "f\"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'\"",
            "'SELECT 1'",
        ),
        (
            "a migration without its lock fails at once",
            "_got_no_lock",
            "getattr(error, 'sqlstate', None) in NO_LOCK",
            "False",
        ),
    ],
    "proofs/persistence/schema/test_migrations.py::test_what_was_put_in_before_applied_ones_is_applied": [
        (
            "a start passes over missing migrations",
            "Applied.require_complete",
            "(missing := self.missing(revisions))",
            "False and (missing := self.missing(revisions))",
        ),
    ],
    "proofs/persistence/schema/test_migrations.py::test_what_was_committed_by_half_is_not_run_again_by_itself": [
        ("a migration that was begun is run again", "Applied.require_clear", "if self.begun:", "if False:"),
        (
            "what is begun is not on record before it is run",
            "_apply",
            "record.note(connection, revisions, begun=[one])",
            "pass",
        ),
    ],
    "proofs/persistence/schema/test_migrations.py::test_what_something_else_did_is_noticed": [
        (
            "what something else migrated is not noticed",
            "Applied.require_clear",
            "self.exists and self.versions != self.heads",
            "False",
        ),
    ],
    "proofs/persistence/schema/test_migrations.py::test_a_database_from_before_the_record_gets_what_the_template_put_in": [  # noqa: E501
        (
            "a database without a record is taken to have had what was put in later",
            "begin_record",
            "{one for one in revisions.up_to(found.versions) if BEFORE_THE_RECORD.match(one)}",
            "{one for one in revisions.up_to(found.versions)}",
        ),
    ],
    "proofs/persistence/schema/test_migrations.py::test_a_release_that_is_older_than_the_database_starts": [
        (
            "a database of unknown migrations is migrated",
            "_apply",
            "(strange := found.unknown(revisions))",
            "False and (strange := found.unknown(revisions))",
        ),
    ],
    "proofs/persistence/schema/test_migrations.py::test_two_of_one_name_are_refused": [
        (
            "migrations of one name are taken",
            "read_revisions",
            "warnings.filterwarnings('error', 'Revision .* is (not present|present more than once)')",
            "pass",
        ),
    ],
    "tests/persistence/schema/test_migrate.py": [
        (
            "a database that is newer than the code is checked as if it were not",
            "_require_complete",
            "applied.exists and (strange := applied.unknown(revisions))",
            "False and (strange := applied.unknown(revisions))",
        ),
    ],
    "tests/persistence/schema/test_differences.py": [
        (
            "differences in sentences",
            "check.compare",
            "raise ConfigurationError(told(found.diffs, connection.dialect)) from None",
            "raise",
        ),
        (
            "which of both may be NULL",
            "_changed",
            "('database', 'code') if stored else ('code', 'database')",
            "('code', 'database')",
        ),
        (
            "which of both has a server default",
            "_changed",
            "('code', 'database') if stored is None else ('database', 'code')",
            "('database', 'code')",
        ),
    ],
    "proofs/persistence/schema/test_references.py": [
        (
            "a migration that breaks foreign keys is recorded",
            "references_kept",
            "require_references(connection, known)",
            "pass",
        ),
        ("old broken foreign keys stop every migration", "references_kept", "broken(connection)", "None"),
        ("a check passes over broken foreign keys", "check", "require_references(connection)", "pass"),
    ],
    "proofs/persistence/schema/test_migrations.py::test_a_database_of_another_service_is_refused": [
        (
            "a service starts on the database of another",
            "require_migrated",
            "record.require_of(database.service_name)",
            "pass",
        ),
        (
            "a service migrates the database of another",
            "apply_missing",
            "applied.read(context.connection).require_of(context.connection.info[applied.SERVICE])",
            "pass",
        ),
        (
            "a service takes the database of another back",
            "revert",
            "found.require_of(context.connection.info[applied.SERVICE])",
            "pass",
        ),
    ],
    "proofs/handlers/user/test_ended_logins.py": [
        ("logins: of the primary", "Credentials._first", "self._database.reading_latest()", "self._database.reading()"),
        ("logins: what ends one drops what is known", "LoginSessions._end", "mark_stale(access_tag(user_id))", "pass"),
        (
            "logins: a revoked one is over",
            "OpenLogins._read",
            "login_sessions.c.id == token.session_id, login_sessions.c.revoked_at.is_(None)",
            "login_sessions.c.id == token.session_id",
        ),
        (
            "logins: each is its own user's",
            "OpenLogins._read",
            "users.c.id == token.user_id, users.c.is_active",
            "users.c.is_active",
        ),
        (
            "logins: one ends at its moment",
            "OpenLogins.require",
            "end is None or end <= self._clock.now()",
            "end is None",
        ),
        (
            "logins: one that goes on has another end",
            "OpenLogins.require",
            "end is not None and end <= self._clock.now()",
            "False",
        ),
        (
            "logins: what is known is kept",
            "_kept",
            "await cache.set(key, codec.dump_json(value), SECONDS_KEPT, (tag,), generation)",
            "pass",
        ),
        ("logins: and for so long", "SECONDS_KEPT", "30.0", "90.0"),
        (
            "logins: they are read from the primary",
            "Database.latest_engine",
            "self.writing_engine if self._has_replica else self.reading_engine",
            "self.reading_engine",
        ),
    ],
    "tests/handlers/user/test_refresh_tokens_handler.py": [
        ("refresh: a login goes on", "LoginSessions._advance", "now + lifetime", "now"),
        (
            "refresh: old tokens go",
            "LoginSessions._advance",
            "await self._session.execute(delete(refresh_tokens).where(tokens.digest.in_(old)))",
            "pass",
        ),
    ],
    "proofs/handlers/user/test_lost_answers.py": [
        (
            "REFRESH_TOKEN_GRACE_SECONDS",
            "LoginSessions._is_repetition",
            "self._settings.refresh_token_grace_seconds",
            "3600",
        ),
        (
            "refresh: a successor that was used is not given again",
            "LoginSessions._is_repetition",
            (
                "select(refresh_tokens.c.digest).where(refresh_tokens.c.digest == self._digest(successor), "
                "refresh_tokens.c.used_at.is_(None))"
            ),
            "select(refresh_tokens.c.digest).where(refresh_tokens.c.digest == self._digest(successor))",
        ),
        (
            "refresh: the successor needs the key",
            "LoginSessions._hmac",
            "self._settings.key_for(purpose)",
            "purpose.encode()",
        ),
        (
            "refresh: what is stored is no successor",
            "LoginSessions._digest",
            "'digests of refresh tokens'",
            "'refresh tokens'",
        ),
    ],
    "proofs/core/test_identity.py": [
        (
            "identity/connections of every service",
            "address_and_arguments",
            "f'{options.application_name or settings.service_name}{suffix}'",
            "f'app{suffix}'",
        ),
        (
            "identity/connections for each purpose",
            "address_and_arguments",
            "f'{options.application_name or settings.service_name}{suffix}'",
            "settings.service_name",
        ),
    ],
    "proofs/core/cqrs/test_names.py": [
        ("names: stream", "EventStreams.load", "kind.aggregate_type", "kind.__name__"),
    ],
    "proofs/core/cqrs/test_circles.py": [
        ("circles: stored", "StoredEvent.operation", "known.get('depth', 0) + 1", "known.get('depth', 0)"),
    ],
}
