"""Bake a service from the files that git knows or would add; caches and other leftovers stay out."""

import argparse
import json
import logging
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cookiecutter.exceptions import CookiecutterException
from cookiecutter.main import cookiecutter
from jinja2 import TemplateError

ROOT = Path(__file__).resolve().parents[1]
SERVICE = "{{cookiecutter.project_slug}}"


def template_files() -> list[Path]:
    """The template repository's files, relative to its root."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted({Path(name) for name in names if name and (ROOT / name).is_file()})


def copy_template(target: Path) -> Path:
    """Copy what a bake reads, so that nothing else is rendered."""
    for file in template_files():
        if file.parts[0] in {"cookiecutter.json", "hooks", "templates", SERVICE}:
            (target / file.parent).mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, target / file)
    return target


def hook(name: str) -> dict[str, Any]:
    """The names that a hook defines; its main() does not run."""
    return runpy.run_path(str(ROOT / "hooks" / f"{name}.py"))


def config_beside(template: Path) -> Path:
    """Write a configuration of cookiecutter in which nothing is the user's own."""
    config = template.parent / "cookiecutter.yaml"
    config.write_text(f"replay_dir: {template.parent / 'replay'}\ncookiecutters_dir: {template.parent}\n")
    return config


def bake_from(template: Path, into: Path, **answers: str) -> Path:
    """Bake one service, with the default for each question left out; the user's own defaults do not count."""
    config = str(config_beside(template))
    return Path(
        cookiecutter(str(template), no_input=True, extra_context=answers, output_dir=str(into), config_file=config)
    )


def bake(into: Path, **answers: str) -> Path:
    """Bake one service from a fresh copy of the template."""
    with tempfile.TemporaryDirectory() as scratch:
        return bake_from(copy_template(Path(scratch, "template")), into, **answers)


def ask(into: Path) -> None:
    """Ask the questions and bake; a refusal is the hook's own sentence, without a traceback."""
    logging.disable()
    with tempfile.TemporaryDirectory() as scratch:
        template = copy_template(Path(scratch, "template"))
        if found := hook("post_gen_project")["origin"](ROOT, str(ROOT)):
            (template / "origin.json").write_text(json.dumps(found), encoding="utf-8")
        try:
            cookiecutter(str(template), output_dir=str(into))
        except (CookiecutterException, TemplateError) as error:
            sys.exit(f"Nothing was baked: {error}")
        except (EOFError, KeyboardInterrupt):
            sys.exit("Nothing was baked: a question got no answer. `cookiecutter --no-input` takes the defaults.")


def main() -> None:
    """Bake a service, with the default answers or with yours."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--into", type=Path, default=Path("build"), help="the folder that gets the service's folder")
    parser.add_argument("--defaults", action="store_true", help="ask nothing")
    arguments = parser.parse_args()
    if arguments.defaults:
        bake(arguments.into)
    else:
        ask(arguments.into)


if __name__ == "__main__":
    main()
