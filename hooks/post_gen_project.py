"""Keep only what was chosen, make it a git repository, and say what to do next."""

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

# Question and answer -> the files and folders that only this answer needs. With any other answer they are deleted.
MANIFEST: dict[tuple[str, str], tuple[str, ...]] = {
    ("sample", "pizzeria"): (
        "app/adapters/order_provider.py",
        "app/adapters/order_settings.py",
        "app/adapters/payment_memory.py",
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
        "migrations/versions/0003_orders.py",
        "migrations/versions/0004_order_read_models.py",
        "tests/adapters/test_order_settings.py",
        "tests/adapters/test_payment_memory.py",
        "tests/api/routes/test_kitchen.py",
        "tests/api/routes/test_menu.py",
        "tests/api/routes/test_order_lists.py",
        "tests/api/routes/test_orders.py",
        "tests/api/routes/test_reports.py",
        "tests/books.py",
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
    ("sample", "none"): (),
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
    "app/adapters/telemetry.py",
    "app/adapters/throttle_*.py",
    "app/adapters/tokens_jwt.py",
    "app/adapters/traces_http.py",
    "app/api/*.py",
    "app/cli/database.py",
    "app/cli/events.py",
    "app/cli/opened.py",
    "app/cli/outbox.py",
    "app/cli/projections.py",
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
    "tests/telemetry/test_*.py",
    "tests/test_cli.py",
    "tests/test_fixtures.py",
    "tests/test_surroundings.py",
)
# Tests that stand among those of the engine, and try what a team writes.
OWNED = (
    "tests/adapters/test_notifications_table.py",
    "tests/adapters/test_order_settings.py",
    "tests/adapters/test_payment_memory.py",
    "tests/composition/test_doors.py",
    "tests/persistence/test_tables.py",
)


def unwanted(answers: dict[str, str]) -> list[Path]:
    """The files of answers that were not given."""
    return [
        Path(file) for (question, answer), files in MANIFEST.items() if answers[question] != answer for file in files
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


def git(*words: str) -> bool:
    """Run git in silence; a machine without it is no reason to lose the project."""
    try:
        return subprocess.run(["git", *words], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def start_repository() -> None:
    """Make the folder a repository of its own, unless it already stands in one that would keep it."""
    if git("rev-parse", "--is-inside-work-tree") and not git("check-ignore", "--quiet", "."):
        return
    if not git("init", "--quiet", "--initial-branch", "main"):
        print("git init did not work: run it yourself, when git is there.")


def main() -> None:
    """Delete, initialise, and take leave."""
    answers = json.loads(r"""{{ cookiecutter | tojson }}""")
    for path in unwanted(answers):
        delete(path)
    Path("tests/engine.sha256").write_text(manifest(), encoding="utf-8", newline="\n")
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
