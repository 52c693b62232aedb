"""Stable names: what others read in marts and exports does not vanish or change its type unsaid.

`tests/fixtures/public_columns.csv` lists the columns of the last look. New ones need no entry to be
added; after a release, and after a change that CHANGELOG names, write the list again:

    python tests/python/test_public_columns.py
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
LISTED = PROJECT / "tests" / "fixtures" / "public_columns.csv"

Columns = dict[tuple[str, str, str], str]


def public_columns() -> Columns:
    """Type by schema, table and column, as the YAML beside the models promises them."""
    found: Columns = {}
    for room in ("marts", "exports"):
        for path in sorted((PROJECT / "models" / room).rglob("*.yml")):
            document = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            for model in document.get("models", []):
                for column in model["columns"]:
                    found[room, model["name"], column["name"]] = column["data_type"].lower()
    return found


def listed_columns() -> Columns:
    with LISTED.open(newline="") as handle:
        return {(room, table, name): kind for room, table, name, kind in csv.reader(handle)}


def unsaid_changes(before: Columns, now: Columns, changelog: str) -> list[str]:
    """Name each column that went or changed its type without a word about it in the changelog.

    A row of the changelog that says `removed`, `retyped` or `renamed` names the column as
    ``table.column``, or the table when all of it went.
    """
    said = " ".join(
        line for line in changelog.splitlines() if re.search("removed|retyped|renamed", line)
    )
    tables = {table for _, table, _ in now}
    problems = []
    for (room, table, name), kind in before.items():
        after = now.get((room, table, name))
        if after == kind or re.search(rf"\b{table}\.{name}\b", said):
            continue
        if table not in tables and re.search(rf"\b{table}`", said):
            continue
        problem = "is gone" if after is None else f"was {kind} and is {after}"
        problems.append(f"{room}.{table}.{name} {problem}")
    return problems


def test_public_columns_stay_or_the_changelog_says_so() -> None:
    before = listed_columns()
    assert len(before) > 800
    problems = unsaid_changes(before, public_columns(), (PROJECT / "CHANGELOG.md").read_text())
    assert not problems, (
        "Others read these columns. Name them in CHANGELOG (| `table.column` | removed: ... |):\n"
        + "\n".join(problems)
    )


def test_changes_are_found_and_excused_by_the_changelog() -> None:
    before = {
        ("marts", "fct_a", "kept"): "bigint",
        ("marts", "fct_a", "gone"): "bigint",
        ("marts", "fct_a", "other"): "double",
        ("marts", "fct_b", "id"): "string",
    }
    now = {("marts", "fct_a", "kept"): "bigint", ("marts", "fct_a", "other"): "string"}
    assert unsaid_changes(before, now, "| `marts.fct_a`, `marts.fct_b` | new |") == [
        "marts.fct_a.gone is gone",
        "marts.fct_a.other was double and is string",
        "marts.fct_b.id is gone",
    ]
    changelog = (
        "| `marts.fct_a.gone` | removed |\n| `fct_a.other` | retyped: text |\n"
        "| `marts.fct_b` | removed: see fct_a |"
    )
    assert unsaid_changes(before, now, changelog) == []
    assert unsaid_changes(before, before, "") == []


if __name__ == "__main__":
    with LISTED.open("w", newline="") as written:
        rows = [(*key, kind) for key, kind in sorted(public_columns().items())]
        csv.writer(written, lineterminator="\n").writerows(rows)
    print(f"{LISTED}: {len(rows)} columns")
