from tests.cli.support import Run


def test_the_revenue_is_printed(run: Run) -> None:
    done = run("billing", "revenue")
    assert (done.exit_code, done.stdout) == (0, "")
