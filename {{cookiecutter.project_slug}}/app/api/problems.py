"""Problem documents (RFC 9457), the one format of all error responses."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong with a request (RFC 9457)."""

    type: str = Field(description="Which kind of problem this is.", examples=["urn:problem:not_found"])
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened this time.")
    instance: str = Field(description="The path that was asked for.")
    errors: dict[str, str] = Field({}, description="Field -> what is wrong with it.")
    operation_id: str = Field("", description="The operation, as the logs name it.")
    request_id: str = Field("", description="The request, as the logs name it.")


def problem(
    scope: Scope,
    status: int,
    detail: str,
    *,
    kind: str = "about:blank",
    title: str | None = None,
    errors: Mapping[str, str] | None = None,
    operation_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The error response to a request; members without a value are left out."""
    members = {
        "type": kind,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": scope["path"],
        "errors": errors,
        "operation_id": operation_id,
        "request_id": scope.get("state", {}).get("request_id"),
    }
    # Plain ASCII, so that a response that quotes an invalid character can be encoded.
    body = json.dumps({name: value for name, value in members.items() if value}, ensure_ascii=True).encode()
    return Response(body, status, headers, MEDIA_TYPE)
