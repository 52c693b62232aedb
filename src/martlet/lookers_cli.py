"""``martlet lookers``: review the list, approve entries, export what is approved.

Addresses leave the warehouse here and nowhere else, from the view
``exports.exp_lookers__approved_networks``: approved, current, not held back.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from martlet.errors import MartletError
from martlet.models_cli import add_database_arguments, open_database

__all__ = ["FORMATS", "add_arguments", "render_list", "run"]

FORMATS = ("csv", "nginx", "cidr", "cloudflare")
_APPROVED = (
    "select network, action, reason, approved_by, expires_on_date, as_of_date, model_version "
    "from exports.exp_lookers__approved_networks where expires_on_date > ? order by network"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands and their arguments."""
    common = argparse.ArgumentParser(add_help=False)
    add_database_arguments(common)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    review = actions.add_parser(
        "review",
        parents=[common],
        help="write the candidates with reasons as CSV, without addresses",
    )
    review.add_argument("--output", type=Path, required=True)
    show = actions.add_parser(
        "show", parents=[common], help="print the address behind one address_id, to look it up"
    )
    show.add_argument("address_id", help="the first digits are enough")
    approve = actions.add_parser(
        "approve", parents=[common], help="add a row to seeds/reference/looker_approvals.csv"
    )
    approve.add_argument("address_id", nargs="+", help="as in fct_looker_candidates")
    approve.add_argument("--by", required=True, help="who approves")
    approve.add_argument(
        "--at-most", choices=("rate_limit", "challenge", "block"), default="challenge"
    )
    export = actions.add_parser(
        "export", parents=[common], help="write the approved addresses for a server or a CDN"
    )
    export.add_argument("--format", choices=FORMATS, required=True)
    export.add_argument("--output", type=Path, required=True)


def run(options: argparse.Namespace, project: Path, now: datetime | None = None) -> int:
    """Run one sub-command.

    Raises
    ------
    MartletError
        If the database is missing or lacks the models, or an address_id is not a candidate.
    """
    moment = (now or datetime.now(UTC)).replace(microsecond=0, tzinfo=None)
    with open_database(options, project) as con:
        try:
            return _act(con, options, project, moment)
        except duckdb.CatalogException as error:
            raise MartletError(
                "The database has no looker list: build with --select "
                "+exp_lookers__approved_networks +exp_lookers__review."
            ) from error


def _act(
    con: duckdb.DuckDBPyConnection, options: argparse.Namespace, project: Path, moment: datetime
) -> int:
    if options.action == "review":
        relation = con.query("from exports.exp_lookers__review order by net_value_amount desc, 1")
        rows = relation.fetchall()
        _write(options.output, _csv(relation.columns, rows))
        print(f"{len(rows)} candidates in {options.output}")
    elif options.action == "show":
        for address_id, network, action, reason in _find(con, options.address_id):
            print(f"{address_id[:12]}  {network}  {action}: {reason}")
    elif options.action == "approve":
        _approve(con, options, project, moment)
    else:
        rows = con.execute(_APPROVED, [moment.date()]).fetchall()
        _write(options.output, render_list(options.format, rows, moment))
        print(f"{len(rows)} approved addresses in {options.output}")
    return 0


def _find(con: duckdb.DuckDBPyConnection, address_id: str) -> list[tuple[Any, ...]]:
    if not re.fullmatch(r"[0-9a-f]{6,64}", address_id):
        raise MartletError(f"'{address_id}' is no address_id: six hexadecimal digits or more.")
    found = con.execute(
        "select distinct c.address_id, a.network_key, c.action, c.reason "
        "from marts.fct_looker_candidates c "
        "join intermediate.int_ip_addresses__listed a using (address_id) "
        "where starts_with(c.address_id, ?)",
        [address_id],
    ).fetchall()
    if not found:
        raise MartletError(f"'{address_id}' is not among the candidates.")
    return found


def _approve(
    con: duckdb.DuckDBPyConnection, options: argparse.Namespace, project: Path, moment: datetime
) -> None:
    seed = project / "seeds" / "reference" / "looker_approvals.csv"
    if not options.by.strip():
        raise MartletError("--by must say who approves.")
    found = [row for given in options.address_id for row in _find(con, given)]
    kept = list(csv.DictReader(seed.open())) if seed.is_file() else []
    fields = ["address_id", "approved_action", "approved_by", "approved_at", "expires_at"]
    new = {
        row[0]: [row[0], options.at_most, options.by, moment.isoformat(" "), ""] for row in found
    }
    rows = [[row[name] for name in fields] for row in kept if row["address_id"] not in new]
    _write(seed, _csv(fields, [*rows, *new.values()]))
    print(f"{len(new)} approved in {seed}; they count after the next build")


def render_list(kind: str, rows: Sequence[tuple[Any, ...]], moment: datetime) -> str:
    """Write the approved networks in one format.

    Parameters
    ----------
    kind : str
        One of `FORMATS`. ``csv`` has all columns, ``nginx`` is a ``geo`` block that sets
        ``$martlet_looker`` to the action (and denies nothing by itself), ``cidr`` one network a
        line, ``cloudflare`` the CSV a custom list takes: network and comment.
    rows : sequence of tuple
        network, action, reason, approved_by, expires_on_date, as_of_date, model_version.
    moment : datetime
        Time of writing, UTC.

    Returns
    -------
    str
        With a head of time, expiry, version, row count and the SHA-256 of what follows it.
    """
    networks = [str(ipaddress.ip_network(row[0])) for row in rows]
    if kind == "nginx":
        lines = [
            f"    {net} {row[1]}; # until {row[4]}" for net, row in zip(networks, rows, strict=True)
        ]
        body = "\n".join(["geo $martlet_looker {", "    default allow;", *lines, "}", ""])
    elif kind == "cidr":
        body = "".join(f"{net}\n" for net in networks)
    elif kind == "cloudflare":
        comments = [f"{row[1]} until {row[4]}" for row in rows]
        body = _csv(None, list(zip(networks, comments, strict=True)))
    else:
        names = "network action reason approved_by expires_on_date as_of_date model_version"
        body = _csv(
            names.split(), [(net, *row[1:]) for net, row in zip(networks, rows, strict=True)]
        )
    head = {
        "generated_at": f"{moment.isoformat()}Z",
        "expires_on": min((str(row[4]) for row in rows), default="-"),
        "model_version": max((str(row[6]) for row in rows), default="-"),
        "rows": len(rows),
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
    }
    return "".join(f"# {name}: {value}\n" for name, value in head.items()) + body


def _csv(names: Sequence[str] | None, rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if names:
        writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    """Write beside the file and rename: a server never reads half a list."""
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except OSError as error:
        raise MartletError(f"Cannot write {path}: {error.strerror}.") from error
