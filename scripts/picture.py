"""Draw the pipeline from the order of its steps in the code: `python -m scripts.picture` writes docs/pipeline.svg."""

import ast
import re

from scripts.bake import ROOT, SERVICE

PIPELINE = ROOT / SERVICE / "app/core/cqrs/pipeline.py"
PICTURE = ROOT / "docs/pipeline.svg"
WHAT = {
    "tracing": "a span around all of it",
    "middleware": "your code around every message",
    "after_commit": "drops stale answers, delivers events",
    "deadline": "one limit for all attempts and COMMIT",
    "authentication": "who is asking?",
    "validation": "are the fields valid?",
    "authorize": "@authorize: may they?",
    "cached_query": "@cached_query: one load, many answers",
    "retry_on_failure": "@retry_on_failure: anew after collisions",
    "attempt": "a new handler with its dependencies",
    "transactional": "@transactional: all or nothing, with events",
    "idempotent": "@idempotent: a key takes effect once",
    "deduplication": "an event is handled once",
    "invalidates": "@invalidates: names what is stale",
    "handling": "your use case",
}
ROW, WIDTH, INDENT = 30, 760, 14


def steps() -> list[str]:
    """The names of the steps, outermost first."""
    for node in ast.parse(PIPELINE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "ORDER":
            names = [one.id for one in ast.walk(node.value or node) if isinstance(one, ast.Name) and one.id != "ORDER"]
            return [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in names] + ["handling"]
    raise LookupError(f"{PIPELINE} has no ORDER")


def drawn() -> str:
    """The picture: each step surrounds those below it."""
    names = steps()
    height = ROW * len(names) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f"<title>The steps around a handler: {', '.join(names)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    for place, name in enumerate(names):
        left, top = 10 + INDENT * place, 10 + ROW * place
        fill = "#2f6f4f" if name == "handling" else f"hsl(210 40% {94 - 2 * place}%)"
        ink = "#ffffff" if name == "handling" else "#1b2733"
        high = height - 10 - top
        parts += [
            f'<rect x="{left}" y="{top}" width="{WIDTH - 10 - left}" height="{high}" rx="4" fill="{fill}"/>',
            f'<text x="{left + 10}" y="{top + 20}" fill="{ink}" font-weight="bold">{name}</text>',
            f'<text x="{WIDTH - 20}" y="{top + 20}" fill="{ink}" text-anchor="end">{WHAT[name]}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
