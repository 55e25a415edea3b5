"""What is answered to bytes that are not HTTP, which no app gets to see."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.api.problems import problem


class ProblemProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, with a problem document where it has a line of text."""

    def send_400_response(self, msg: str) -> None:
        """Tell the client that this is not HTTP, and hang up."""
        response = problem({"path": ""}, 400, msg, headers={"Connection": "close"})
        lines = [b"HTTP/1.1 400 Bad Request", *(name + b": " + value for name, value in response.raw_headers)]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
