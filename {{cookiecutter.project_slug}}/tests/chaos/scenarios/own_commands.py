"""The service's own commands, all that its tests send: each is rolled back just before its COMMIT, and executed again.

The oracles are the tests, which have to pass as if nothing had happened the first time.
"""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.oracle import Violation, require
from tests.chaos.stage import Stage
from tests.support.rolled_back import OPTION

SERVICE = Path(__file__).parents[3]
TESTS = ("tests/handlers", "tests/read_models")
LONGEST_SECONDS = 900.0


async def play(stage: Stage) -> str:
    """Run the tests of the handlers and the read models; on PostgreSQL too, if all is to be done."""
    if stage.full and stage.postgres_url:
        said = await tested(TESTS, {"TEST_POSTGRES_URL": stage.postgres_url})
    else:
        said = await tested(("-m", "not integration", *TESTS), {})
    (figures,) = re.findall(r"^\d+ executions of .+$", said, re.MULTILINE)
    return str(figures)


async def tested(arguments: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """What pytest says of these tests, whose commands are rolled back first.

    Raises:
        Violation: a test fails, or they take too long.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-n", "2", "--tb=line", "-p", "no:cacheprovider", OPTION, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | environment,
        cwd=SERVICE,
    )
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            said = (await process.communicate())[0].decode(errors="replace")
    except TimeoutError:
        raise Violation(f"the tests did not end within {LONGEST_SECONDS:g} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    require(process.returncode == 0, f"after a rollback these fail: {', '.join(failed) or said[-500:]}.")
    return said
