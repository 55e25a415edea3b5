"""Text of a Python file, changed where its syntax tree says, and nowhere else."""

import ast
import io
import tokenize
from pathlib import Path

Node = ast.stmt | ast.expr


def read(file: Path) -> str:
    """Its text, with the ends of its lines as they are."""
    return file.read_bytes().decode("utf-8-sig")


def write(file: Path, text: str) -> None:
    """The same, the other way round."""
    file.write_bytes(text.encode())


def replaced(text: str, node: Node, by: str) -> str:
    """The text with something else in the place of a node."""
    before, after = beside(text, node)
    lines = lines_of(text)
    end = node.end_lineno or node.lineno
    return "".join([*lines[: node.lineno - 1], before, by, after, *lines[end:]])


def beside(text: str, node: Node) -> tuple[str, str]:
    """What stands before a node in its first line, and after it in its last one."""
    lines, end = lines_of(text), node.end_lineno or node.lineno
    first, last = lines[node.lineno - 1].encode(), lines[end - 1].encode()  # columns count bytes
    return first[: node.col_offset].decode(), last[node.end_col_offset or 0 :].decode()


def comments_of(text: str, node: Node) -> dict[int, str]:
    """The comments in the lines of a node, by the numbers of the lines."""
    lines = lines_of(text)[node.lineno - 1 : node.end_lineno]
    found = tokenize.generate_tokens(io.StringIO("".join(lines).strip(), newline=None).readline)
    return {node.lineno - 1 + token.start[0]: token.string for token in found if token.type == tokenize.COMMENT}


def lines_of(text: str) -> list[str]:
    """Its lines as Python counts them, each with its end: `splitlines` also ends one at a form feed or a U+2028."""
    return list(io.StringIO(text, newline=""))
