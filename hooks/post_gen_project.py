"""Keep only what was chosen, record where it came from, make it a git repository, and say what to do next."""

import json
import os
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

Answer = tuple[str, str]
NATS, RABBITMQ, KAFKA, REDIS = (("broker", answer) for answer in ("nats", "rabbitmq", "kafka", "redis"))
COMPOSE, KUBERNETES = ("deployment", "compose"), ("deployment", "kubernetes")
GITHUB, GITLAB = ("ci", "github"), ("ci", "gitlab")
CACHE_IN_REDIS, FULL_TELEMETRY = ("cache", "redis"), ("telemetry", "full")

# Answers -> the files and folders that are needed if one of them was given; otherwise they are deleted. A file that is
# listed several times needs an answer of each list: a test of traces over a broker needs a broker and full telemetry.
MANIFEST: dict[tuple[Answer, ...], tuple[str, ...]] = {
    (("sample", "pizzeria"),): (
        "app/adapters/order_provider.py",
        "app/adapters/order_settings.py",
        "app/adapters/payment_memory.py",
        "app/api/routes/_order_bodies.py",
        "app/api/routes/kitchen.py",
        "app/api/routes/menu.py",
        "app/api/routes/order_lists.py",
        "app/api/routes/orders.py",
        "app/api/routes/reports.py",
        "app/domain/customer.py",
        "app/domain/kitchen.py",
        "app/domain/menu.py",
        "app/domain/order.py",
        "app/domain/order_events.py",
        "app/domain/order_line.py",
        "app/domain/order_wish.py",
        "app/domain/payments.py",
        "app/handlers/order",
        "app/migrations/versions/0003_orders.py",
        "app/migrations/versions/0004_order_read_models.py",
        "app/persistence/mappings/order_mapping.py",
        "app/persistence/mappings/order_read_tables.py",
        "app/persistence/order_tables.py",
        "app/persistence/repositories/menu_repository.py",
        "app/persistence/repositories/order_owners.py",
        "app/persistence/repositories/order_repository.py",
        "app/read_models/customer_history.py",
        "app/read_models/daily_sales.py",
        "app/read_models/kitchen_queue.py",
        "app/read_models/menu_views.py",
        "app/read_models/order_details.py",
        "app/read_models/order_shares.py",
        "app/read_models/order_status.py",
        "app/read_models/order_summaries.py",
        "app/read_models/order_views.py",
        "app/read_models/popular_pizzas.py",
        "app/read_models/shop_days.py",
        "tests/adapters/test_order_settings.py",
        "tests/adapters/test_payment_memory.py",
        "tests/api/routes/test_kitchen.py",
        "tests/api/routes/test_menu.py",
        "tests/api/routes/test_order_lists.py",
        "tests/api/routes/test_orders.py",
        "tests/api/routes/test_reports.py",
        "tests/chaos/customers.py",
        "tests/chaos/old_orders.py",
        "tests/chaos/rebuilds.py",
        "tests/chaos/scenarios/rebuild.py",
        "tests/domain/test_customer.py",
        "tests/domain/test_kitchen.py",
        "tests/domain/test_menu.py",
        "tests/domain/test_order.py",
        "tests/handlers/order",
        "tests/order_open_handlers.py",
        "tests/orders.py",
        "tests/read_models/conftest.py",
        "tests/read_models/test_customer_history.py",
        "tests/read_models/test_daily_sales.py",
        "tests/read_models/test_kitchen_queue.py",
        "tests/read_models/test_order_details.py",
        "tests/read_models/test_order_summaries.py",
        "tests/read_models/test_popular_pizzas.py",
        "tests/read_models/test_shop_days.py",
        "tests/test_life_of_an_order.py",
    ),
    (NATS, RABBITMQ, KAFKA, REDIS): (
        "app/adapters/brokers.py",
        "app/adapters/carrier.py",
        "app/adapters/consumption.py",
        "app/adapters/event_headers.py",
        "app/adapters/exchange_settings.py",
        "app/adapters/faststream_events.py",
        "app/adapters/in_turn.py",
        "app/adapters/shared_connection.py",
        "app/cli/resending.py",
        "app/composition/cloud_event_attributes.py",
        "app/composition/cloud_events.py",
        "app/composition/consumer.py",
        "app/composition/exchange.py",
        "app/core/broker.py",
        "app/persistence/events/received_events.py",
        "app/persistence/events/resending.py",
        "docs/messages_between_services.md",
        "tests/adapters/test_brokers.py",
        "tests/adapters/test_exchange_settings.py",
        "tests/adapters/test_shared_connection.py",
        "tests/brokers.py",
        "tests/cli/test_resending.py",
        "tests/composition/memory_broker.py",
        "tests/composition/test_consumer.py",
        "tests/composition/test_exchange.py",
        "tests/telemetry/traces/test_traces_over_a_broker.py",
    ),
    (NATS,): (
        "app/adapters/broker_nats.py",
        "tests/broker_nats.py",
        "tests/chaos/broker_nats.py",
        "tests/chaos/scenarios/poison_behind_nats.py",
        "tests/chaos/scenarios/relay_speed.py",
    ),
    (RABBITMQ,): (
        "app/adapters/broker_amqp.py",
        "tests/adapters/test_broker_amqp.py",
        "tests/broker_amqp.py",
        "tests/chaos/broker_rabbitmq.py",
    ),
    (KAFKA,): (
        "app/adapters/broker_kafka.py",
        "tests/adapters/test_broker_kafka.py",
    ),
    (REDIS,): (
        "app/adapters/broker_redis.py",
        "tests/adapters/test_broker_redis.py",
        "tests/broker_redis.py",
        "tests/chaos/broker_redis.py",
        "tests/chaos/scenarios/many_relays.py",
        "tests/chaos/scenarios/published_once.py",
    ),
    (NATS, RABBITMQ, REDIS): (  # chaos starts no Kafka
        "tests/chaos/beside.py",
        "tests/chaos/listener.py",
        "tests/chaos/neighbour.py",
        "tests/chaos/scenarios/relay.py",
        "tests/chaos/scenarios/shared_workers.py",
        "tests/chaos/scenarios/two_services.py",
        "tests/chaos/witnesses.py",
    ),
    (CACHE_IN_REDIS,): (
        "app/adapters/cache_redis.py",
        "app/adapters/redis_client.py",
        "app/adapters/redis_link.py",
        "app/adapters/redis_scripts.py",
        "app/adapters/redis_settings.py",
        "app/adapters/redis_turns.py",
        "app/adapters/throttle_redis.py",
        "docs/shared_cache.md",
        "tests/adapters/cache_crowd.py",
        "tests/adapters/conftest.py",
        "tests/adapters/test_cache_redis.py",
        "tests/adapters/test_cache_redis_outages.py",
        "tests/adapters/test_shared_cache.py",
        "tests/caches.py",
        "tests/chaos/beside.py",
        "tests/chaos/neighbour.py",
        "tests/chaos/scenarios/cache.py",
        "tests/chaos/scenarios/two_services.py",
        "tests/chaos/shared_tills.py",
        "tests/chaos/tills.py",
        "tests/persistence/test_nested_reading_uncached.py",
    ),
    (CACHE_IN_REDIS, REDIS): ("tests/chaos/redis_server.py",),
    (FULL_TELEMETRY,): (
        "app/adapters/error_reports_http.py",
        "app/adapters/telemetry_settings.py",
        "app/adapters/traces_http.py",
        "app/api/tracing.py",
        "app/composition/traces_and_reports.py",
        "app/core/observability/error_reports.py",
        "app/core/observability/tracing.py",
        "app/persistence/engine/sql_spans.py",
        "docs/traces_and_reports.md",
        "tests/core/observability/test_error_reports.py",
        "tests/core/observability/test_tracing.py",
        "tests/persistence/engine/test_sql_spans.py",
        "tests/telemetry/traces",
    ),
    (COMPOSE, KUBERNETES): (
        ".dockerignore",
        "Dockerfile",
        "compose.yaml",
    ),
    (KUBERNETES,): ("deploy",),
    (GITHUB,): (".github",),
    (GITLAB,): (".gitlab-ci.yml",),
}

# What a team runs and need not change, its tests, and the exact versions that both are tested with. In a service the
# tests run when one of these files is changed, see `tests/support/engine.py`.
ENGINE = (
    "app/adapters/*broker*.py",
    "app/adapters/by_scheme.py",
    "app/adapters/cache_*.py",
    "app/adapters/carrier.py",
    "app/adapters/clock_system.py",
    "app/adapters/consumption.py",
    "app/adapters/error_reports_http.py",
    "app/adapters/event_headers.py",
    "app/adapters/faststream_events.py",
    "app/adapters/in_turn.py",
    "app/adapters/password_argon2.py",
    "app/adapters/redis_*.py",
    "app/adapters/shared_connection.py",
    "app/adapters/telemetry_settings.py",
    "app/adapters/throttle_*.py",
    "app/adapters/tokens_jwt.py",
    "app/adapters/traces_http.py",
    "app/api/*.py",
    "app/cli/database.py",
    "app/cli/document.py",
    "app/cli/events.py",
    "app/cli/generator.py",
    "app/cli/health.py",
    "app/cli/new/*.py",
    "app/cli/opened.py",
    "app/cli/outbox.py",
    "app/cli/projections.py",
    "app/cli/resending.py",
    "app/cli/service.py",
    "app/cli/terminal.py",
    "app/composition/*.py",
    "app/core/**/*.py",
    "app/persistence/engine/*.py",
    "app/persistence/events/*.py",
    "app/persistence/projections/*.py",
    "app/persistence/schema/*.py",
    "app/persistence/access.py",
    "app/persistence/column_types.py",
    "app/persistence/credentials.py",
    "app/persistence/event_tables.py",
    "app/persistence/idempotency.py",
    "app/persistence/sweeping.py",
    "app/persistence/unit_of_work.py",
    "app/main.py",
    "app/worker.py",
    "constraints.txt",
    "tests/adapters/test_*.py",
    "tests/api/test_*.py",
    "tests/cli/test_*.py",
    "tests/composition/test_*.py",
    "tests/core/**/test_*.py",
    "tests/persistence/**/test_*.py",
    "tests/telemetry/**/test_*.py",
    "tests/test_cli.py",
    "tests/test_fixtures.py",
    "tests/test_surroundings.py",
)
# Tests that stand among those of the engine, and try what a team writes.
OWNED = (
    "tests/adapters/test_notifications_table.py",
    "tests/adapters/test_order_settings.py",
    "tests/adapters/test_payment_memory.py",
    "tests/api/test_document.py",
    "tests/composition/test_doors.py",
    "tests/persistence/test_tables.py",
)


def unwanted(answers: dict[str, str]) -> list[Path]:
    """The files of answers that were not given."""
    return [
        Path(file)
        for needed_by, files in MANIFEST.items()
        if all(answers[question] != answer for question, answer in needed_by)
        for file in files
    ]


def delete(path: Path) -> None:
    """Delete a file or a folder, and the folders that this leaves empty."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    for folder in path.parents[:-1]:
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()


def manifest() -> str:
    """The digests of the engine's files, each on a line with its path, as `sha256sum` writes them."""
    files = {path.as_posix(): path for pattern in ENGINE for path in Path().glob(pattern)}
    kept = {
        name: path.read_bytes().replace(b"\r\n", b"\n") for name, path in sorted(files.items()) if name not in OWNED
    }
    return "".join(f"{sha256(text).hexdigest()}  {name}\n" for name, text in kept.items())


def git(*words: str, folder: Path = Path()) -> str | None:
    """What git prints, or None if it fails; a machine without it is no reason to lose the project."""
    # A hook of git sets these, and then each git would work in the repository of the hook.
    around = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    own = {name: value for name, value in os.environ.items() if name not in around}
    try:
        done = subprocess.run(["git", *words], cwd=folder, env=own, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def start_repository() -> None:
    """Make the folder a repository of its own, unless it already stands in one that would keep it."""
    if git("rev-parse", "--is-inside-work-tree") is not None and git("check-ignore", "--quiet", ".") is None:
        return
    if git("init", "--quiet", "--initial-branch", "main") is None:
        print("git init did not work: run it yourself, when git is there.")


def template_folder(answers: dict[str, Any]) -> Path | None:
    """Where cookiecutter reads the template, which may be relative to the folder that it was started in."""
    bases = (os.environ.get("PWD", "."), answers.get("_output_dir", "."))
    folders = (Path(base, answers["_repo_dir"]) for base in bases if "_repo_dir" in answers)
    return next((folder for folder in folders if Path(folder, "cookiecutter.json").is_file()), None)


def origin(folder: Path, address: str) -> dict[str, str] | None:
    """The template's address and commit; None if nothing tells the commit.

    Args:
        folder: where the template is read: a clone, or a copy whose `origin.json` has the commit. `git archive` writes
            it there, and so do the zip files of GitHub.
        address: what cookiecutter was given.
    """
    if git("rev-parse", "--show-prefix", folder=folder) == "":
        return origin_of_clone(folder)
    told = Path(folder, "origin.json")
    found: dict[str, str] = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {"commit": "$"}
    return None if found["commit"].startswith("$") else {"template": address, **found}


def origin_of_clone(folder: Path) -> dict[str, str] | None:
    """The same of a clone: the address that it came from, or the folder while its commit is nowhere else."""
    commit = git("rev-parse", "--verify", "--quiet", "HEAD", folder=folder)
    if commit is None:
        return None
    if git("status", "--porcelain", "--untracked-files=normal", folder=folder):
        print("The template has uncommitted changes, which its recorded commit does not have.")
    remotes = (git("remote", folder=folder) or "").split()
    name = remotes[0] if len(remotes) == 1 else "origin"  # a person may call it otherwise: `clone.defaultRemoteName`
    # As it was typed: `git remote get-url` puts in what `url.*.insteadOf` says, which may be a person's token.
    remote = git("config", "--get", f"remote.{name}.url", folder=folder)
    is_there = remote and git("branch", "--remotes", "--contains", commit, folder=folder)
    return {"template": remote if remote and is_there else str(folder.resolve()), "commit": commit}


def without_credentials(address: str) -> str:
    """The address without the user and the password before its host: the record is committed."""
    return re.sub(r"^(https?://)[^/]*@", r"\1", address, flags=re.IGNORECASE)


def record_origin(answers: dict[str, Any]) -> None:
    """Write `.cruft.json`, from which cruft, `make update` and `make choose` know template, commit and answers.

    cruft itself writes the same file after this hook.
    """
    if "_commit" in answers:
        return
    folder = template_folder(answers)
    found = origin(folder, answers["_template"]) if folder else None
    if found is None:
        print("Nothing tells which commit of the template this is, so `make update` needs a `cruft link` first.")
        return
    found["template"] = without_credentials(found["template"])
    kept = {question: answer for question, answer in answers.items() if not question.startswith("_")}
    record = {**found, "checkout": answers.get("_checkout") or None, "context": {"cookiecutter": kept}}
    Path(".cruft.json").write_text(f"{json.dumps(record | {'directory': None}, indent=2)}\n", encoding="utf-8")


def main() -> None:
    """Delete, initialise, and take leave."""
    answers = json.loads(r"""{{ cookiecutter | tojson }}""")
    for path in unwanted(answers):
        delete(path)
    Path("tests/engine.sha256").write_text(manifest(), encoding="utf-8", newline="\n")
    record_origin(answers)
    start_repository()
    print(f"""
{answers["project_name"]} is ready. Next:

    cd {answers["project_slug"]}
    make run      installs it, migrates its database and starts it
    make test     runs its tests
    make          lists the other words
""")


if __name__ == "__main__":
    main()
