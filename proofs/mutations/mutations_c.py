"""Mutations of what refuses a half of a declaration."""

from mutations.mutation import Mutation, outside

TARGETS = "core/cqrs/targets.py"
DECORATORS = "proofs/core/cqrs/test_decorators.py"
FORBIDDEN = "proofs/core/cqrs/test_forbidden.py"
ANSWERS = "core/cqrs/answers.py"
REFUSALS = "proofs/core/cqrs/test_refusals_by_name.py"
AWAITED = "proofs/core/cqrs/test_awaited.py"


def bare(decorator: str, file: str, call: str) -> Mutation:
    """A decorator that does not notice that it has no parentheses."""
    return outside(f"@{decorator} without parentheses", f"core/cqrs/{file}.py", call, "pass", DECORATORS)


MUTATIONS = [
    outside(
        "a class is declared for two commands",
        "core/cqrs/registry.py",
        "if not (other.kind is declaration.kind is Kind.EVENT):",
        "if False:",
        "core/cqrs/test_registry.py",
    ),
    outside(
        "a tag of a handler that is registered late",
        "core/cqrs/registering.py",
        "if self._is_complete and (policy := plan.policy(Invalidates)) is not None:",
        "if False and (policy := plan.policy(Invalidates)) is not None:",
        "proofs/core/cqrs/test_tags.py",
    ),
    outside("a policy on what is no handler", TARGETS, "if not is_handler(target)", "if False", DECORATORS),
    outside("a policy on an instance", TARGETS, "isinstance(target, type) and hasattr", "hasattr", DECORATORS),
    outside(
        "a policy asks what it is on",
        "core/cqrs/policies/policy.py",
        "require_handler(decorator_of(type(policy)), handler)",
        "pass",
        DECORATORS,
    ),
    outside(
        "a declaration asks what it is on",
        "core/cqrs/registry.py",
        'require_handler(f"{declaration.kind.value}_handler", handler)',
        "pass",
        DECORATORS,
    ),
    bare(
        "authorize",
        "policies/authorize",
        """require_arguments("authorize", '@authorize(permissions=["user:read"])', permissions)""",
    ),
    bare("cached_query", "policies/cached_query", 'require_arguments("cached_query", "@cached_query()", ttl_seconds)'),
    bare("idempotent", "policies/idempotent", 'require_arguments("idempotent", "@idempotent()", required)'),
    bare(
        "invalidates",
        "policies/invalidates",
        """require_arguments("invalidates", '@invalidates("user:{user_id}")', *tags)""",
    ),
    bare(
        "retry_on_failure",
        "policies/retry_on_failure",
        'require_arguments("retry_on_failure", "@retry_on_failure()", max_attempts)',
    ),
    bare(
        "transactional",
        "policies/transactional",
        'require_arguments("transactional", "@transactional()", isolation_level)',
    ),
    bare(
        "validate_input",
        "policies/validate_input",
        'require_arguments("validate_input", "@validate_input(validator_func=...)", validator_func)',
    ),
    bare(
        "command_handler",
        "registry",
        'require_arguments("command_handler", "@command_handler(CreateUserCommand)", command)',
    ),
    bare("query_handler", "registry", 'require_arguments("query_handler", "@query_handler(GetUserQuery)", query)'),
    bare("event_handler", "registry", 'require_arguments("event_handler", "@event_handler(UserCreated)", event)'),
    outside("a refusal raises", ANSWERS, "raise returned_error(result)", "return result", REFUSALS),
    outside("a refusal is of its message", ANSWERS, "result._message = current_message()", "pass", REFUSALS),
    outside(
        "a refusal is of its class",
        "core/cqrs/handlers.py",
        "    answers_with = CommandResult\n",
        "",
        REFUSALS,
    ),
    outside(
        "a refusal is rolled back",
        "core/cqrs/results.py",
        "error.returned, error.must_roll_back = result, True",
        "error.returned = result",
        REFUSALS,
    ),
    outside(
        "the value of before",
        "core/cqrs/status.py",
        'value == "unauthorized"',
        "False",
        "proofs/core/cqrs/test_forbidden.py",
    ),
    *(
        outside(
            f"{where} {name} has to be awaited",
            file,
            f"    @coroutine_function\n    def {name}(self, {argument}",
            f"    def {name}(self, {argument}",
            AWAITED,
        )
        for where, file, name, argument in (
            ("CQRSBus", "core/cqrs/bus.py", "execute_command", "command"),
            ("CQRSBus", "core/cqrs/bus.py", "execute_query", "query"),
            ("CQRSBus", "core/cqrs/bus.py", "execute", "message: ICommand[Any] |"),
            ("RequestBus", "dependencies.py", "execute_command", "command"),
            ("RequestBus", "dependencies.py", "execute_query", "query"),
        )
    ),
]

DOORS, TAGS, BEHAVIORS = (
    "proofs/composition/test_doors.py",
    "proofs/core/cqrs/test_tags.py",
    "proofs/core/cqrs/test_behaviors.py",
)
MUTATIONS += [
    outside(
        "the start tells who is open",
        "composition/container.py",
        "await tell_doors(bus, await container.get(Database))",
        "pass",
        DOORS,
    ),
    outside(
        "describe() tells who is open",
        "core/cqrs/registering.py",
        '"open_to_everybody": plan.policy(Authorize) is None',
        '"open_to_everybody": False',
        DOORS,
    ),
    outside("a permission of no role", "composition/doors.py", "if not _is_held(", "if False and not _is_held(", DOORS),
    outside(
        "a permission for one's own needs a field",
        "composition/doors.py",
        "(resource_id_field is not None and anybodys + OWN in held)",
        "anybodys + OWN in held",
        DOORS,
    ),
    outside(
        "a bus is complete",
        "composition/container.py",
        "    bus.complete((await container.get(EventTypes)).classes.values())\n",
        "",
        TAGS,
    ),
    outside(
        "a tag that nobody reads", "core/cqrs/registering.py", ".has_shape(tag)]", ".has_shape(tag) and False]", TAGS
    ),
    outside("tags have shapes", "core/cqrs/tags.py", '_pattern(one, "[^:]*")', '_pattern(one, ".*")', TAGS),
    outside(
        "tags go both ways", "core/cqrs/tags.py", "((known, template), (template, known))", "((known, template),)", TAGS
    ),
    outside("declare_tags", "core/cqrs/tags.py", "declared_tags.update(tags)", "pass", TAGS),
    outside("mark_stale asks for readers", "core/cqrs/registering.py", "if self._is_complete:", "if False:", TAGS),
    outside(
        "a bus of a few handlers is not asked", "core/cqrs/registering.py", "if self._is_complete:", "if True:", TAGS
    ),
    outside(
        "a later reader counts",
        "core/cqrs/registering.py",
        "        self._handlers.add(registered)\n        self._tags = None\n",
        "        self._handlers.add(registered)\n",
        TAGS,
    ),
    outside(
        "mark_stale in a child task",
        "core/cqrs/policies/invalidates.py",
        "elif (outer := current.get()) is not None:",
        "elif (outer := current.get()) is not None and False:",
        TAGS,
    ),
    outside(
        "the answer's type of the handler",
        "core/cqrs/plan.py",
        "said[1] if declared is Any and len(said) == 2 else declared",
        "declared",
        "proofs/core/cqrs/test_answers_of_handlers.py",
    ),
]

LEFT_OUT, CAUSES = "proofs/core/test_left_out.py", "proofs/core/cqrs/test_true_causes.py"
DISCOVERY, ROUTING, REGISTRATIONS = "core/discovery.py", "api/routing.py", "core/cqrs/registrations.py"
MUTATIONS += [
    outside("a behaviour of an event", REGISTRATIONS, "or issubclass(one, DomainEvent):", "or False:", BEHAVIORS),
    outside(
        "a behaviour of what nobody handles",
        "core/cqrs/registering.py",
        "problems += self._middlewares.idle(self._handlers.answering)",
        "pass",
        BEHAVIORS,
    ),
    outside(
        "a handler that declares nothing",
        DISCOVERY,
        "issubclass(cls, HANDLERS) and not declarations_of(cls)",
        "False and not declarations_of(cls)",
        LEFT_OUT,
    ),
    outside("a base of handlers", DISCOVERY, "ABC in cls.__bases__\n", "False\n", LEFT_OUT),
    outside("fields of no dataclass", DISCOVERY, "issubclass(cls, MESSAGES) and", "False and", LEFT_OUT),
    outside("class variables are no fields", DISCOVERY, '"ClassVar" not in str(annotation)', "True", LEFT_OUT),
    outside("a hidden module", DISCOVERY, "if times > 1:", "if times > 2:", LEFT_OUT),
    outside(
        "what lies elsewhere",
        "composition/container.py",
        'require_found((DOMAIN, HANDLERS, *handlers), "app")',
        "pass",
        LEFT_OUT,
    ),
    outside(
        "a module without a router",
        ROUTING,
        'not isinstance(getattr(module, "router", None), APIRouter)',
        "False",
        LEFT_OUT,
    ),
    outside("a router that is not served", ROUTING, "if id(router) not in served:", "if False:", LEFT_OUT),
    outside("a router with a lifespan", ROUTING, "if _has_lifespan(router):", "if False:", LEFT_OUT),
    outside(
        "a router is served once", "main.py", "{id(router): router for router in routers}.values()", "routers", LEFT_OUT
    ),
    outside(
        "an operation's dependency",
        "composition/container.py",
        "if any(factory.scope is",
        "if False and any(factory.scope is",
        CAUSES,
    ),
    outside(
        "a generic message",
        "core/cqrs/targets.py",
        "    if origin is not None:\n",
        "    if False:\n",
        CAUSES,
    ),
    outside("a generic message by hand", REGISTRATIONS, "    if origin is not None:\n", "    if False:\n", CAUSES),
    outside("a generic answer", REGISTRATIONS, "if isinstance(declared, TypeVar):", "if False:", CAUSES),
    outside(
        "a decorator of another kind",
        "core/cqrs/targets.py",
        "if not issubclass(message, kinds[decorator]):",
        "if False:",
        CAUSES,
    ),
    outside(
        "a base of another kind",
        REGISTRATIONS,
        "if answers_with not in (None, RESULTS_OF.get(kind)):",
        "if False:",
        CAUSES,
    ),
    outside("a hook of another kind", REGISTRATIONS, "if kind is not of_kind:", "if False:", CAUSES),
    outside("a hook that is not awaited", REGISTRATIONS, "if not iscoroutinefunction(own):", "if False:", CAUSES),
    outside(
        "retries in a transaction",
        "core/cqrs/policies/retry_on_failure.py",
        "        if plan.nested:\n",
        "        if False:\n",
        CAUSES,
    ),
]
