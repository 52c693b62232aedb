"""Look into a built database without a DuckDB client at hand."""

from __future__ import annotations

from pathlib import Path

import duckdb

from martlet.build import database_path
from martlet.errors import MartletError

__all__ = ["query"]


def query(project: Path, sql: str, rows: int = 40, target: str | None = None) -> None:
    """Print the answer to one SQL query; the database is opened read-only.

    Parameters
    ----------
    project : Path
        Folder with ``dbt_project.yml``.
    sql : str
        The query, in DuckDB's SQL.
    rows : int
        Most rows to print.
    target : str, optional
        Target of the profile.

    Raises
    ------
    MartletError
        If there is no database yet, it is being written, or the query is wrong.
    """
    database = database_path(project, target)
    if not database.exists():
        raise MartletError(f"There is no database at {database} yet: run `make build` first.")
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            answer = connection.sql(sql)
            if answer is not None:
                answer.show(max_rows=rows, max_width=200)
    except duckdb.Error as error:
        raise MartletError(str(error)) from error
