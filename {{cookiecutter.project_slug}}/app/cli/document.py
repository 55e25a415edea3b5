"""`app openapi`: the document of the API, for clients that are generated from it."""

import json

import typer


def openapi() -> None:
    """Print the OpenAPI document of the API as JSON. It needs no database, and no secret outside of production."""
    from app.core.config import checked_settings
    from app.main import create_app

    typer.echo(json.dumps(create_app(checked_settings()).openapi(), indent=2, ensure_ascii=False))
