"""What must not be missing on the database's road."""

from tests.mutation import Mutation, outside

MUTATIONS: list[Mutation] = [
    outside(
        "a pooler that leaves settings out is not noticed",
        "persistence/migrate.py",
        "            await postgresql.require_settings(database.writing_engine, database.reading_engine)",
        "            pass",
        "field/test_pooler.py",
    ),
    outside(
        "a pooler that refuses settings is an outage",
        "persistence/postgresql.py",
        'if state == "08P01" and "startup parameter" in str(error):',
        "if False:",
        "field/test_pooler.py",
    ),
    outside(
        "a start passes over missing migrations",
        "persistence/migrate.py",
        "    if missing := record.missing(revisions):",
        "    if False and (missing := record.missing(revisions)):",
        "field/test_migrations.py::test_what_was_put_in_before_applied_ones_is_applied",
    ),
    outside(
        "a migration that was begun is run again",
        "persistence/applied.py",
        "        if self.begun:",
        "        if False:",
        "field/test_migrations.py::test_what_was_committed_by_half_is_not_run_again_by_itself",
    ),
    outside(
        "what something else migrated is not noticed",
        "persistence/applied.py",
        "        if self.exists and self.versions != self.heads:",
        "        if False:",
        "field/test_migrations.py::test_what_something_else_did_is_noticed",
    ),
    outside(
        "a database without a record is taken to have had what was put in later",
        "persistence/applied.py",
        "if BEFORE_THE_RECORD.match(one)}",
        "}",
        "field/test_migrations.py::test_a_database_from_before_the_record_gets_what_the_template_put_in",
    ),
    outside(
        "a database of unknown migrations is migrated",
        "persistence/migrate.py",
        "            if strange := record.unknown(revisions):\n                raise ConfigurationError(\n"
        '                    f"Migration',
        "            if False and (strange := record.unknown(revisions)):\n                raise ConfigurationError(\n"
        '                    f"Migration',
        "field/test_migrations.py::test_a_release_that_is_older_than_the_database_starts",
    ),
    outside(
        "migrations of one name are taken",
        "persistence/revisions.py",
        '            warnings.filterwarnings("error", "Revision .* is (not present|present more than once)")\n',
        "",
        "field/test_migrations.py::test_two_of_one_name_are_refused",
    ),
    outside(
        "what is begun is not on record before it is run",
        "persistence/migrate.py",
        "                applied.note(context.connection, revisions, begun=[one])\n",
        "",
        "field/test_migrations.py::test_what_was_committed_by_half_is_not_run_again_by_itself",
    ),
    outside(
        "a service starts on the database of another",
        "persistence/migrate.py",
        "    record.require_of(database.service_name)\n",
        "",
        "field/test_migrations.py::test_a_database_of_another_service_is_refused",
    ),
    outside(
        "a service migrates the database of another",
        "persistence/migrate.py",
        "        applied.read(context.connection).require_of(context.connection.info[applied.SERVICE])\n",
        "",
        "field/test_migrations.py::test_a_database_of_another_service_is_refused",
    ),
    outside(
        "a service takes the database of another back",
        "persistence/migrate.py",
        "        record.require_of(context.connection.info[applied.SERVICE])\n",
        "",
        "field/test_migrations.py::test_a_database_of_another_service_is_refused",
    ),
]
