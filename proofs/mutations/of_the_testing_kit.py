"""Mutations of the testing kit."""

MUTATIONS = {
    "tests/core/cqrs/testing/test_failures.py": [
        ("fail_commits(times)", "FailingCommits.fail_commits", "times", "1"),
        ("fail_commits(error)", "FailingCommits.fail_commits", "error or collision()", "collision()"),
        (
            "failing_commits(of)",
            "every_unit.open_prepared",
            ("if isinstance(_handled_now(), of):\n    prepare(unit)"),
            "prepare(unit)",
        ),
        (
            "a failed commit is rolled back",
            "FailingCommits._prepare.commit",
            "await (really_commit() if is_stored else unit.rollback())",
            ("if is_stored:\n    await really_commit()"),
        ),
        (
            "a commit whose answer is lost is stored",
            "FailingCommits._prepare.commit",
            "really_commit() if is_stored else unit.rollback()",
            "unit.rollback()",
        ),
    ],
    "tests/core/cqrs/testing/test_crash_points.py": [
        ("crash_at(how)", "crash_at", "how", "bool"),
        ("crash_at(nth)", "crash_at", "nth", "1"),
    ],
    "tests/core/cqrs/testing/test_tracked.py": [
        (
            "a tracked run waits for background work",
            "_nothing_running",
            "self._bus.running",
            "False",
        ),
        ("tracked(timeout_seconds)", "tracked.tracked", "run.quiet(timeout_seconds)", "run.quiet()"),
        (
            "leaving a tracked run waits until it is quiet",
            "tracked.tracked",
            "await run.quiet(timeout_seconds)",
            "pass",
        ),
    ],
    "proofs/core/cqrs/test_storage.py": [
        ("storage: fakes", "MemoryUnit.record", "payload_of(record.event)", "pass"),
    ],
}
