"""Mutations of the bus."""

MUTATIONS = {
    "proofs/core/cqrs/test_sent_before.py": [
        (
            "a message of another request is refused",
            "RequestBus._claim",
            "getattr(message, '_sender', self) is not self",
            "False",
        ),
        ("a message of another operation is refused", "_dispatch_inside", "_refuse_reused(message, outer)", "pass"),
        ("in a task, too", "_enter_from_outside", "_refuse_reused(message, cause)", "pass"),
        (
            "a message of a request is refused inside",
            "_refuse_reused",
            "metadata.source and metadata.operation_id",
            "None",
        ),
    ],
    "tests/core/cqrs/test_decorators.py": [
        (
            "command_handler(auto_register)",
            "command_handler",
            "auto_register",
            "True",
        ),
        (
            "query_handler(auto_register)",
            "query_handler",
            "auto_register",
            "True",
        ),
        (
            "a class is declared for two commands",
            "Handler.declared",
            "not other.kind is declaration.kind is Kind.EVENT",
            "False",
        ),
    ],
    "tests/core/cqrs/policies/test_deadline.py": [
        (
            "command_handler(timeout_seconds)",
            "command_handler",
            "timeout_seconds",
            "30.0",
        ),
        (
            "query_handler(timeout_seconds)",
            "query_handler",
            "timeout_seconds",
            "15.0",
        ),
    ],
    "tests/core/cqrs/policies/test_cached_query.py": [
        (
            "query_handler(cache_enabled)",
            "query_handler",
            "cache_enabled",
            "True",
        ),
        (
            "cached_query, what is sent as it is kept",
            "AnswerCodec.keep",
            "b'=' if data == _sent(result.data) else b'-'",
            "b'='",
        ),
    ],
    "tests/core/cqrs/test_reactions.py": [
        (
            "event_handler(in_transaction)",
            "event_handler",
            (
                "Declaration(Kind.EVENT, event, timeout_seconds=timeout_seconds, "
                "in_transaction=in_transaction, name=name)"
            ),
            "Declaration(Kind.EVENT, event, timeout_seconds=timeout_seconds, name=name)",
        ),
        (
            "events are delivered after the commit only",
            "transactional.commit",
            "attempt.stored = records",
            "",
        ),
        (
            "event_handler(timeout_seconds)",
            "event_handler",
            "timeout_seconds",
            "30.0",
        ),
    ],
    "tests/core/cqrs/test_serialization.py": [
        (
            "cached_query, the seal",
            "AnswerCodec.kept",
            "seal[:-1] != self._seal(stored)",
            "not seal",
        ),
        (
            "cached_query, the seal: aliases",
            "AnswerCodec._shape",
            "self._schema(mode='serialization', by_alias=True)",
            "None",
        ),
        (
            "cached_query, the seal: validators",
            "AnswerCodec._shape",
            "list(_functions(self._data.core_schema))",
            "[]",
        ),
    ],
    "tests/core/cqrs/test_bus.py": [
        (
            "another bus has a transaction of its own",
            "compile_dispatch.dispatch",
            "outer._bus is bus or not is_elsewhere(bus, outer)",
            "True",
        ),
        (
            "a bus without units joins that of another",
            "compile_dispatch.dispatch",
            "outer._bus is bus or not is_elsewhere(bus, outer)",
            "outer._bus is bus",
        ),
        (
            "CQRSBus(allow_handler_override)",
            "CQRSBus.__init__",
            "allow_handler_override",
            "False",
        ),
        (
            "CQRSBus(scope)",
            "CQRSBus.__init__",
            "scope",
            "None",
        ),
        (
            "CQRSBus(unit_of_work)",
            "CQRSBus.__init__",
            "unit_of_work",
            "None",
        ),
        (
            "CQRSBus(cache)",
            "CQRSBus.__init__",
            "cache",
            "None",
        ),
        (
            "CQRSBus(access)",
            "CQRSBus.__init__",
            "access",
            "None",
        ),
        (
            "CQRSBus(clock)",
            "CQRSBus.__init__",
            "clock",
            "None",
        ),
        (
            "CQRSBus(tracer)",
            "CQRSBus.__init__",
            "tracing",
            "None",
        ),
    ],
    "tests/core/cqrs/test_stackings.py": [
        (
            "order: validation before authorisation",
            "ORDER",
            "validation, Authorize",
            "Authorize, validation",
        ),
        (
            "order: authentication before validation",
            "ORDER",
            "authentication, validation",
            "validation, authentication",
        ),
        (
            "order: authorisation before the cache",
            "ORDER",
            "Authorize, CachedQuery",
            "CachedQuery, Authorize",
        ),
        (
            "order: a transaction for each attempt",
            "ORDER",
            "RetryOnFailure, attempt, Transactional",
            "attempt, Transactional, RetryOnFailure",
        ),
    ],
    "tests/core/cqrs/test_dispatch.py": [
        (
            "inside a handler a failure is raised",
            "compile_dispatch.dispatch",
            "outer._is_running_here()",
            "False",
        ),
        (
            "a task that a handler starts is outermost again",
            "compile_dispatch.dispatch",
            "outer._is_running_here()",
            "True",
        ),
        (
            "two tasks in one unit of work are refused",
            "Attempt.join",
            "self._task is not None and self._task is not current_task()",
            "False",
        ),
    ],
    "tests/core/cqrs/test_handlers.py": [
        (
            "a failed result rolls back",
            "handling._answering.handle",
            "raise returned_error(result)",
            "pass",
        ),
    ],
    "tests/core/cqrs/policies/test_invalidates.py": [
        (
            "stale entries are dropped without a transaction, too",
            "after_commit.follow",
            "last.may_have_committed or last.unit is None",
            "last.may_have_committed",
        ),
        (
            "stale entries are dropped after the commit only",
            "after_commit.follow",
            "has_changes and (last.stored or last.stale_tags)",
            "last.stored or last.stale_tags",
        ),
        (
            "what follows the commit has no deadline",
            "ORDER",
            "after_commit, deadline",
            "deadline, after_commit",
        ),
    ],
    "tests/core/cqrs/test_errors.py": [
        (
            "a bug is told to nobody",
            "_failure",
            "UNEXPECTED.format(operation_id)",
            "f'{error} {UNEXPECTED.format(operation_id)}'",
        ),
    ],
    "tests/core/test_event_types.py": [
        (
            "events of an older shape are brought to today's",
            "EventTypes.read",
            "version < event_class.event_version",
            "False",
        ),
        (
            "an event of a newer release is left to it",
            "EventTypes.read",
            "if source is None and version > event_class.event_version:",
            "if False:",
        ),
    ],
    "proofs/persistence/test_whole_or_nothing.py": [
        (
            "a middleware does not hide a nested command that failed",
            "middleware",
            "plan.nested",
            "False",
        ),
        (
            "a nested command that failed dooms",
            "doom_outer",
            "attempt.unit.doom(cause)",
            "pass",
        ),
    ],
    "proofs/core/cqrs/test_tasks.py": [
        (
            "a task is refused",
            "refuse_in_task",
            "attempt is not None and attempt.unit is not None and (attempt.committed is None)",
            "attempt is not None and False",
        ),
        (
            "a refused task dooms",
            "refuse_in_task",
            "attempt.unit.doom(error)",
            "pass",
        ),
        (
            "the background is cut short",
            "CQRSBus.aclose",
            "cut_short(self, long_ago)",
            "pass",
        ),
        (
            "the background may send while the bus ends",
            "compile_dispatch.dispatch",
            "bus.is_closed and (not is_in_progress(bus, outer))",
            "bus.is_closed",
        ),
    ],
    "proofs/core/cqrs/test_groups.py": [
        (
            "of several errors the most severe counts",
            "_of_group",
            "min(errors, key=_severity)",
            "errors[0]",
        ),
        (
            "a foreign cancellation is a bug",
            "as_one",
            "task is not None and (not task.cancelling())",
            "False",
        ),
    ],
    "proofs/core/cqrs/test_done_work.py": [
        (
            "a failing close changes no answer",
            "_close",
            "tell_of('closing_failed', one, message, plan.ports.reports)",
            "raise",
        ),
        (
            "publish_event opens a unit",
            "CQRSBus.publish_event",
            "self.ports.units is not None",
            "False",
        ),
    ],
    "tests/composition/test_delivery.py": [
        (
            "delivery/two handlers of one class have two names",
            "Registry._add_reaction",
            "len(same) + 1",
            "1",
        ),
    ],
    "tests/core/cqrs/test_checks.py": [
        (
            "event_handler(name)",
            "event_handler",
            (
                "Declaration(Kind.EVENT, event, timeout_seconds=timeout_seconds, "
                "in_transaction=in_transaction, name=name)"
            ),
            "Declaration(Kind.EVENT, event, timeout_seconds=timeout_seconds, in_transaction=in_transaction)",
        ),
        (
            "delivery/two handlers have two names",
            "Registry._add_reaction",
            "is_stored and other.base_name == name and path_of(other.handler_type) != path",
            "False",
        ),
    ],
    "proofs/core/cqrs/test_tags.py": [
        (
            "a tag of a handler that is registered late",
            "Registry._register",
            "self._is_complete",
            "False",
        ),
        (
            "a tag that nobody reads",
            "Registry._unread_tags",
            "not self._known_tags().has_shape(tag)",
            "not self._known_tags().has_shape(tag) and False",
        ),
        (
            "tags have shapes",
            "KnownTags.has_shape",
            "'[^:]*'",
            "'.*'",
        ),
        (
            "tags go both ways",
            "KnownTags.has_shape",
            "((known, template), (template, known))",
            "((known, template),)",
        ),
        (
            "declare_tags",
            "declare_tags",
            "declared_tags.update(tags)",
            "pass",
        ),
        (
            "mark_stale asks for readers",
            "Registry.require_readers",
            "self._is_complete",
            "False",
        ),
        (
            "a bus of a few handlers is not asked",
            "Registry.require_readers",
            "self._is_complete",
            "True",
        ),
        (
            "a later reader counts",
            "Registry._register",
            "self._tags = None",
            "",
        ),
    ],
    "proofs/core/cqrs/test_decorators.py": [
        (
            "a policy on what is no handler",
            "require_handler",
            "not is_handler(target)",
            "False",
        ),
        (
            "a policy on an instance",
            "is_handler",
            "isinstance(target, type) and hasattr(target, 'declared')",
            "hasattr(target, 'declared')",
        ),
        (
            "a declaration asks what it is on",
            "_declared",
            "require_handler(f'{declaration.kind.value}_handler', handler)",
            "pass",
        ),
        (
            "@command_handler without parentheses",
            "decorators.command_handler",
            "_require_message(Kind.COMMAND, '@command_handler(CreateUserCommand)', command)",
            "pass",
        ),
        (
            "@query_handler without parentheses",
            "decorators.query_handler",
            "_require_message(Kind.QUERY, '@query_handler(GetUserQuery)', query)",
            "pass",
        ),
        (
            "@event_handler without parentheses",
            "_require_message",
            "require_arguments(decorator, example, [message])",
            "pass",
        ),
    ],
    "proofs/core/cqrs/test_refusals_by_name.py": [
        (
            "a refusal raises",
            "Answers._refuse",
            "raise returned_error(result)",
            "return result",
        ),
        (
            "a refusal is of its message",
            "Answers._refuse",
            "result._message = current_message()",
            "pass",
        ),
        (
            "a refusal is of its class",
            "BaseCommandHandler",
            "answers_with = CommandResult",
            "",
        ),
        (
            "a refusal is rolled back",
            "returned_error",
            "error.must_roll_back = True",
            "pass",
        ),
    ],
    "proofs/core/cqrs/test_awaited.py": [
        (
            "CQRSBus execute_command has to be awaited",
            "CQRSBus.execute_command",
            "@coroutine_function",
            "",
        ),
        (
            "CQRSBus execute_query has to be awaited",
            "CQRSBus.execute_query",
            "@coroutine_function",
            "",
        ),
        (
            "CQRSBus execute has to be awaited",
            "CQRSBus.execute",
            "@coroutine_function",
            "",
        ),
    ],
    "proofs/composition/test_doors.py": [
        (
            "describe() tells who is open",
            "Registry.describe",
            "plan.policy(Authorize) is None",
            "False",
        ),
    ],
    "proofs/core/cqrs/test_answers_of_handlers.py": [
        (
            "the answer's type of the handler",
            "Plan.answer_type",
            "of_handler[1] if declared is Any and len(of_handler) == 2 else declared",
            "declared",
        ),
    ],
    "proofs/core/cqrs/test_behaviors.py": [
        (
            "a behaviour of an event",
            "Middlewares.add",
            "issubclass(one, Kind.EVENT.base)",
            "False",
        ),
        (
            "a behaviour of what nobody handles",
            "Registry.complete",
            "problems += self._middlewares.idle(self._answering)",
            "pass",
        ),
    ],
    "proofs/core/cqrs/test_true_causes.py": [
        (
            "a generic message",
            "_require_message",
            "origin is not None",
            "False",
        ),
        (
            "a generic message by hand",
            "_check_message",
            "origin is not None",
            "False",
        ),
        (
            "a generic answer",
            "_check_answer",
            "isinstance(declared, TypeVar)",
            "False",
        ),
        (
            "a decorator of another kind",
            "_require_message",
            "not issubclass(message, kind.base)",
            "False",
        ),
        (
            "a base of another kind",
            "_check_hooks",
            "answers_with is not None and (kind is Kind.EVENT or answers_with is not plan.result_type)",
            "False",
        ),
        (
            "a hook of another kind",
            "_check_hooks",
            "kind is not of_kind",
            "False",
        ),
        (
            "a hook that is not awaited",
            "_check_hooks",
            "not iscoroutinefunction(getattr(handler, hook))",
            "False",
        ),
    ],
    "proofs/composition/test_cloud_events.py": [
        (
            "events/a CloudEvent of another version is any event",
            "DomainEvent.from_foreign",
            "message.get('specversion') == '1.0'",
            "'specversion' in message",
        ),
        (
            "events/the source of a message does not matter",
            "EventTypes.find",
            "self.classes.get((source and normal_source(source), event_type))",
            "next((found for (_, name), found in self.classes.items() if name == event_type), None)",
        ),
        (
            "events/names of services are compared letter by letter",
            "normal_source",
            "re.sub('[-_.]+', '-', source).lower() if LOOKS_LIKE_A_NAME.fullmatch(source) else source",
            "source",
        ),
    ],
    "proofs/core/cqrs/test_whose_events.py": [
        (
            "events/what derives from a public event is public",
            "DomainEvent.__init_subclass__",
            "'public' not in cls.__dict__ and cls.public",
            "False",
        ),
        (
            "events/another's event is told to others",
            "DomainEvent.__init_subclass__",
            "cls.public or not cls.event_source.strip()",
            "not cls.event_source.strip()",
        ),
        (
            "events/another's event has a name of its own",
            "DomainEvent.__init_subclass__",
            "cls.event_source is not None and 'event_type' not in cls.__dict__",
            "False",
        ),
        (
            "events/nobody's JSON",
            "DomainEvent.__init_subclass__",
            "cls.event_source is None and 'from_foreign' in cls.__dict__",
            "False",
        ),
        (
            "events/another's event happens here",
            "require_own",
            "event.event_source is not None",
            "False",
        ),
        (
            "events/a reaction in another's transaction",
            "_check_declaration",
            "plan.in_transaction and getattr(message, 'event_source', None) is not None",
            "False",
        ),
    ],
    "proofs/core/test_identity.py": [
        (
            "identity/its own events as another's",
            "EventTypes.__init__",
            "source == service",
            "False",
        ),
    ],
    "proofs/core/cqrs/test_storage.py": [
        (
            "storage: bases",
            "Walk._visit_class",
            "self._may_be_taken_for(sub, cls)",
            "False",
        ),
        (
            "storage: unions",
            "Walk._visit_union",
            "self._alike(one, other)",
            "False",
        ),
        (
            "storage: excluded",
            "Walk._visit_field",
            "field.get('serialization_exclude')",
            "False",
        ),
        (
            "storage: InitVar",
            "Walk._visit_field",
            "field.get('init_only')",
            "False",
        ),
        (
            "storage: keys",
            "Walk._visit_dict",
            "len(forms) != 1 or forms[0].kind not in KEYS",
            "False",
        ),
        (
            "storage: enums",
            "Walk._visit_enum",
            "adapter.validate_python(adapter.dump_python(member, mode='json')) is member",
            "adapter.validate_python(adapter.dump_python(member, mode='json')) is member or True",
        ),
        (
            "storage: secrets",
            "losses",
            "list(dict.fromkeys(never + walk.found))",
            "walk.found",
        ),
        (
            "storage: int or float",
            "alike",
            "kinds == {'int', 'float'}",
            "False",
        ),
        (
            "storage: other type",
            "difference",
            "None if _stands_for(told, kept, kind) else where",
            "None",
        ),
        (
            "storage: plain values",
            "difference",
            "None if _equal(told, kept) else where",
            "None",
        ),
        (
            "storage: the hour twice",
            "_same_moment",
            "told.astimezone(UTC) == kept.astimezone(UTC)",
            "told == kept",
        ),
        (
            "storage: length",
            "_stands_for",
            "isinstance(told, kind) and told.__class__ is not bool",
            "told.__class__ is not bool",
        ),
        (
            "storage: infinity",
            "payload_of",
            "from_json(written, allow_inf_nan=False)",
            "from_json(written)",
        ),
        (
            "storage: NUL",
            "payload_of",
            "changed is None and b'\\\\u0000' in written",
            "False",
        ),
        (
            "storage: zone",
            "payload_of",
            "changed is None and event.occurred_at.tzinfo is None",
            "False",
        ),
        (
            "storage: event",
            "payload_of",
            "difference(event, kept)",
            "None",
        ),
        (
            "storage: answer",
            "AnswerCodec.write",
            "difference(result.data, self._read(data))",
            "None",
        ),
        (
            "storage: large numbers",
            "payload_of",
            "_as_kept(payload) if LARGE_NUMBER.search(written) else payload",
            "payload",
        ),
    ],
    "proofs/core/cqrs/test_names.py": [
        (
            "names: aggregate",
            "AggregateRoot.raise_event",
            "self.aggregate_type",
            "type(self).__name__",
        ),
        (
            "names: only its events",
            "EventSourcedAggregate.__init_subclass__",
            "not isabstract(cls) and 'aggregate_type' not in cls.__dict__",
            "False",
        ),
        (
            "names: abstract bases",
            "EventSourcedAggregate.__init_subclass__",
            "not isabstract(cls)",
            "True",
        ),
        (
            "names: fields",
            "refuse_fields",
            "'ClassVar' not in str(declared.get(attribute, ClassVar))",
            "False",
        ),
        (
            "events: fields in place of the attributes of the class",
            "DomainEvent.__init_subclass__",
            "refuse_fields(cls, 'event_version', 'public', 'event_source')",
            "pass",
        ),
        (
            "names: messages",
            "check_message_names",
            "other is not plan.message_type",
            "False",
        ),
    ],
    "proofs/core/cqrs/test_circles.py": [
        (
            "circles: steps",
            "_check_depth",
            "most",
            "10 ** 3",
        ),
        (
            "circles: commands",
            "OperationMetadata.caused",
            "self.depth",
            "0",
        ),
        (
            "circles: memory",
            "MemoryDelivery._work",
            "record.following()",
            "record",
        ),
        (
            "circles: nearest",
            "Registry.reactions_of",
            "lineage.index(one.message_type) < lineage.index(known.message_type)",
            "False",
        ),
    ],
}
