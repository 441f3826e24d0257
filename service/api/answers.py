"""Answers: every one a JSON document, every refusal problem+json."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from service.errors import PROBLEM_JSON, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from service.errors import Problem

JSON = "application/json"

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}


class Reply(NamedTuple):
    """An answer, before it is known how it will be sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    def response(self) -> web.Response:
        """For aiohttp to send."""
        return web.Response(body=self.body, status=self.status, headers=self.headers)

    def message(self) -> bytes:
        """As aiohttp sends it to whoever speaks HTTP/1.1 and keeps the connection."""
        fields = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        return b"%b\r\n%bContent-Length: %d\r\n%b\r\n%b" % (
            _LINES[self.status].encode(),
            fields.encode(),
            len(self.body),
            common_fields().encode(),
            self.body,
        )


def common_fields() -> str:
    """Of every answer."""
    return f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n"


def document(body: bytes, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON that is ready to go out."""
    return Reply(status, {hdrs.CONTENT_TYPE: JSON, **(headers or {})}, body).response()


def rendered(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON from a Struct."""
    return document(msgspec.json.encode(value), status, headers)


def refusal(problem: Problem) -> Reply:
    """problem+json, with Retry-After where waiting helps."""
    answer = render(problem.code, problem.values, read=problem.read)
    headers = {hdrs.CONTENT_TYPE: PROBLEM_JSON, **problem.headers}
    if answer.retry_after is not None:
        headers["Retry-After"] = str(answer.retry_after)
    return Reply(answer.status, headers, answer.body)


def problem(problem: Problem) -> web.Response:
    """The same, for aiohttp to send."""
    response = refusal(problem).response()
    if problem.close:
        response.force_close()
    return response
