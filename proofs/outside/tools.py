"""The tools that read the OpenAPI document, in an environment of their own: `make .bench/api/ready`."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".bench" / "api" / "bin"


def tool(
    name: str, *arguments: str, folder: Path, seconds: float = 600, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a tool in a folder, with these variables in its environment, and keep what it prints."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    command = [str(BIN / name), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PATH": path, "NO_COLOR": "1"} | variables
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
