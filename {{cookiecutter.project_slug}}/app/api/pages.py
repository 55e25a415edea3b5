"""`/openapi.json` and `/docs`: the document of the API, and a page that shows it and loads all from this service."""

from html import escape
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

ASSETS = "fastapi_swagger.resources"
"""The package that brings Swagger UI along."""
NAMES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
START = """\
SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: false})
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
PAGE_LOADS = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


def add_pages(app: FastAPI) -> None:
    """Serve the document and its page by the last routes: a route of yours that takes any path hides them."""

    async def document(request: Request) -> Response:
        root_path = request.scope.get("root_path")
        return JSONResponse({**app.openapi(), "servers": [{"url": root_path}]} if root_path else app.openapi())

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE.format(title=escape(app.title)), headers={"Content-Security-Policy": PAGE_LOADS})

    app.router.routes += [Route("/openapi.json", document), Route("/docs", page), Route("/docs/{name}", _asset)]


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name == "start.js":
        return Response(START, media_type="text/javascript")
    if name not in NAMES:
        raise HTTPException(404)
    return FileResponse(Path(str(files(ASSETS) / name)))
