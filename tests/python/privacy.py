"""Whether a raw IP or e-mail address is in what leaves the house."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

__all__ = ["known_addresses", "personal_columns", "personal_words"]

#: Anything that could be an address, with the length of a network: 203.0.113.0/24 is no address.
_WORDS = "[0-9a-f.:/]{3,}"
_EMAIL = r"[A-Za-z0-9._%+-]+(@|%40)[A-Za-z0-9-]+([.][A-Za-z0-9-]+)*[.][A-Za-z]{2,}"


def known_addresses(database: Path) -> set[str]:
    """Return every address a shop has seen, as it was written and as it is read."""
    with duckdb.connect(str(database), read_only=True) as con:
        rows = con.execute(
            """select lower(ip_address) from intermediate.int_ip_addresses__listed
            where network_key is not null
            union select split_part(network_key, '/', 1) from intermediate.int_ip_addresses__listed
            where network_key is not null
            union select lower(ip_address) from shop.shop_orders where ip_address is not null"""
        ).fetchall()
    return {row[0] for row in rows}


def personal_columns(database: Path, schemas: Sequence[str], known: set[str]) -> list[str]:
    """Name the columns, and stored functions, in which an address stands, each with an example.

    Parameters
    ----------
    database : Path
        A DuckDB file.
    schemas : sequence of str
        Where to look; nested columns are read as text.
    known : set of str
        IP addresses of the shop. E-mail addresses are told by their form.
    """
    found = []
    with duckdb.connect(str(database), read_only=True) as con:
        con.execute("create temp table known as select unnest(?) as word", [sorted(known)])
        columns = con.execute(
            """select schema_name, table_name, column_name from duckdb_columns()
            where schema_name in (select unnest(?)) and database_name = current_database()
                and regexp_matches(data_type, 'VARCHAR|JSON|BLOB') order by all""",
            [list(schemas)],
        ).fetchall()
        for schema, table, column in columns:
            found += [
                f"{schema}.{table}.{column}: {example}"
                for example in _examples(con, f'"{column}"', f'"{schema}"."{table}"')
            ]
        found += [
            f"a stored function: {example}"
            for example in _examples(
                con, "macro_definition", "(from duckdb_functions() where not internal)"
            )
        ]
    return found


def _examples(con: duckdb.DuckDBPyConnection, column: str, relation: str) -> list[str]:
    (mail, address) = con.execute(
        f"""with texts as (
            select distinct cast({column} as varchar) as text from {relation}
            where {column} is not null
        ),
        words as (
            select distinct unnest(regexp_extract_all(lower(text), $words)) as word from texts
        )
        select (select min(text) from texts where regexp_matches(text, $email)),
            (select min(word) from words semi join known using (word))""",
        {"words": _WORDS, "email": _EMAIL},
    ).fetchall()[0]
    return [example[:200] for example in (mail, address) if example is not None]


def personal_words(text: str, known: set[str]) -> set[str]:
    """Return the e-mail addresses, and those of the known IP addresses, that a text holds."""
    words = set(re.findall(_WORDS, text.lower()))
    return {match.group(0) for match in re.finditer(_EMAIL, text)} | (words & known)
