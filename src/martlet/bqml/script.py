"""A file of BigQuery SQL as a list of statements, each with its line and its comments.

The file is split into statements by its tokens, so that one statement which cannot be read does
not take the others with it, and so that the words of scripts (``IF ... END IF``) are seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from martlet.bqml.dialect import BigQueryML
from martlet.bqml.report import Kind, Report

__all__ = ["Statement", "read_script"]

_READABLE = {"SELECT", "WITH", "FROM", "CREATE", "DECLARE", "SET"}
_UNFINISHED = {"AS", "ALL", "DISTINCT", "UNION", "EXCEPT", "INTERSECT", ",", "REPLACE"}
_BLOCKS = {"IF", "WHILE", "LOOP", "FOR", "REPEAT", "CASE"}
_UNNEEDED = {
    "DROP": "dbt replaces its relations by itself",
    "COMMIT": "dbt runs each model in a transaction",
    "ROLLBACK": "dbt runs each model in a transaction",
    "ASSERT": "write it as a dbt test",
}
_MAGIC = re.compile(r"^[ \t]*%%[^\n]*", re.MULTILINE)


@dataclass
class Statement:
    """One statement of a file.

    Attributes
    ----------
    file
        The file as it was named in the call.
    line
        Line of its first word.
    tree
        Its syntax tree.
    text
        Its text in the file.
    comments
        The comments above it.
    order
        Its place among the statements of all files; set by the converter.
    """

    file: str
    line: int
    tree: exp.Expr
    text: str
    comments: list[str] = field(default_factory=list)
    order: int = -1


def read_script(text: str, file: str, report: Report) -> list[Statement]:
    """Read the statements of a file; name those that cannot be read.

    Parameters
    ----------
    text : str
        The SQL, one or more statements. Lines with a notebook's ``%%bigquery`` are ignored.
    file : str
        How to name the file in the report.
    report : Report
        Takes what is not carried over.

    Returns
    -------
    list of Statement
        Queries, CREATE statements, DECLARE and SET, in their order.
    """
    sql = _MAGIC.sub("", text)
    try:
        tokens = BigQueryML().tokenize(sql)
    except TokenError as error:
        report.add(file, _error_line(str(error)), Kind.MISSING, f"the file cannot be read: {error}")
        return []
    statements = []
    for piece in _carried(_pieces(tokens), file, report):
        for part, tree in _parsed(piece, sql, file, report):
            if isinstance(tree, exp.Subquery) and not tree.alias:
                tree = tree.unnest()
            text = sql[part[0].start : part[-1].end + 1]
            statements.append(Statement(file, part[0].line, tree, text, list(part[0].comments)))
    return statements


def _parsed(
    piece: list[Token], sql: str, file: str, report: Report
) -> list[tuple[list[Token], exp.Expr]]:
    """Parse a piece; when it is two statements without a semicolon between them, both."""
    try:
        return [(piece, _tree(piece, sql))]
    except ParseError as error:
        failure = error
    for place in _line_starts(piece):
        try:
            first = _tree(piece[:place], sql)
        except ParseError:
            continue
        line = piece[place].line
        report.add(file, line, Kind.HINT, "read as a new statement: a semicolon is missing before")
        return [(piece[:place], first), *_parsed(piece[place:], sql, file, report)]
    details = failure.errors[0] if failure.errors else {}
    line = details.get("line") or piece[0].line
    reason = str(details.get("description") or failure).partition(" but got ")[0]
    reason = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", reason)
    near = details.get("highlight") or piece[-1].text
    report.add(file, line, Kind.MISSING, f"cannot be read near '{near}': {reason}")
    return []


def _tree(piece: list[Token], sql: str) -> exp.Expr:
    # The comments above a statement go to the top of its file, not into the query.
    comments, piece[0].comments = piece[0].comments, []
    try:
        tree = BigQueryML().parser().parse(piece, sql)[0]
    finally:
        piece[0].comments = comments
    if tree is None or isinstance(tree, exp.Command):
        raise ParseError(f"{_title(piece)} is not a known statement")
    return tree


def _line_starts(piece: list[Token]) -> Iterator[int]:
    """Places where a statement may begin: a first word at the start of a line, outside brackets."""
    depth = 0
    for place, token in enumerate(piece):
        opens = token.token_type in (TokenType.L_PAREN, TokenType.L_BRACKET)
        depth += opens - (token.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET))
        new_line = place > 0 and token.line > piece[place - 1].line
        continued = place > 0 and piece[place - 1].text.upper() in _UNFINISHED
        if new_line and depth == 0 and not continued and token.text.upper() in _READABLE:
            yield place


def _error_line(message: str) -> int:
    match = re.search(r"[Ll]ine:?\s*(\d+)", message) or re.search(r"(\d+):\d+", message)
    return int(match.group(1)) if match else 1


def _pieces(tokens: list[Token]) -> Iterator[list[Token]]:
    piece: list[Token] = []
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            if piece:
                yield piece
            piece = []
        else:
            piece.append(token)
    if piece:
        yield piece


def _word(piece: list[Token], place: int = 0) -> str:
    return piece[place].text.upper() if len(piece) > place else ""


def _title(piece: list[Token]) -> str:
    """First words of a statement, as a name for it."""
    return " ".join(token.text for token in piece[: 3 if _word(piece) == "CREATE" else 2]).upper()


def _carried(pieces: Iterator[list[Token]], file: str, report: Report) -> Iterator[list[Token]]:
    """Yield the pieces that are statements on their own; name the others and what is in blocks."""
    depth = 0
    for piece in pieces:
        word = _word(piece)
        if depth:
            inner = [token.text.upper() for token in piece]
            opens = word in _BLOCKS or word == "BEGIN"
            depth += (
                opens
                - (word == "END")
                + sum(
                    1
                    for at, text in enumerate(inner[:-1])
                    if text == "THEN" and inner[at + 1] == "IF"
                )
            )
            continue
        if word == "BEGIN" and _word(piece, 1) not in {"", "TRANSACTION"}:
            piece = piece[1:]
            word = _word(piece)
        line = piece[0].line
        if word == "CREATE" and "PROCEDURE" in (_word(piece, 1), _word(piece, 3)):
            report.add(file, line, Kind.MISSING, "CREATE PROCEDURE: scripts have no place in dbt")
            depth = 1 if "BEGIN" in (token.text.upper() for token in piece) else 0
        elif word in _BLOCKS and piece[-1].text.upper() != word:
            report.add(
                file, line, Kind.MISSING, f"{word} block: scripts have no place in dbt, use Jinja"
            )
            depth = 1
        elif word == "EXCEPTION":
            report.add(file, line, Kind.MISSING, "EXCEPTION: scripts have no place in dbt")
            depth = 1
        elif word in {"BEGIN", "END"}:
            continue
        elif word in _UNNEEDED:
            report.add(file, line, Kind.HINT, f"{_title(piece)}: left out, {_UNNEEDED[word]}")
        elif word in _READABLE or piece[0].token_type == TokenType.L_PAREN:
            yield piece
        else:
            report.add(file, line, Kind.MISSING, f"{_title(piece)}: not a query and not a CREATE")
