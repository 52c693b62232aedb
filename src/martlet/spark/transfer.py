"""Tables between the engines: features from Spark to DuckDB, fitted models from DuckDB to Spark."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from martlet.spark.translate import SparkFunction, spark_functions
from martlet.sqltext import identifier

__all__ = ["bring_features", "copy_table", "send_model", "send_table"]


def bring_features(
    spark: Any, database: Path, folder: Path, tables: Iterable[tuple[str, str]]
) -> None:
    """Write tables of Spark as Parquet and let DuckDB see the files under the tables' names.

    Parameters
    ----------
    spark : SparkSession
        The session that made them.
    database : Path
        The DuckDB file, which need not exist.
    folder : Path
        Where the files are written, ``<schema>.<table>.parquet``.
    tables : iterable of (schema, name)
        What is wanted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(database), config={"storage_compatibility_version": "v1.4.0"}) as con:
        for schema, name in tables:
            file = folder / f"{schema}.{name}.parquet"
            pq.write_table(
                _without_zone(spark.sql(f"select * from {schema}.{name}").toArrow()), file
            )
            con.execute(f"create schema if not exists {identifier(schema)}")
            path = str(file).replace("'", "''")
            con.execute(
                f"create or replace view {identifier(schema)}.{identifier(name)} as "
                f"from read_parquet('{path}')"
            )


def _without_zone(table: pa.Table) -> pa.Table:
    """Return moments as UTC without a zone, as the rest of the project has them."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz:
            plain = table.column(place).cast(pa.timestamp("us"))
            table = table.set_column(place, field.name, plain)
    return table


def send_model(spark: Any, database: Path, schema: str, name: str) -> dict[str, SparkFunction]:
    """Make the tables of a fitted model on Spark, and a row for each of its functions.

    Parameters
    ----------
    spark : SparkSession
        Where to.
    database : Path
        The DuckDB file of the model.
    schema, name : str
        The fitted-model relation.

    Returns
    -------
    dict of str to SparkFunction
        The champion's functions; those with a ``problem`` are not there.
    """
    spark.sql(f"create schema if not exists {schema}")
    with duckdb.connect(str(database), read_only=True) as con:
        found = con.execute(
            "select table_name from information_schema.tables where table_schema = ? "
            "and (table_name = ? or starts_with(table_name, ?))",
            [schema, name, f"{name}__"],
        ).fetchall()
        for (table,) in found:
            copy_table(spark, con, schema, table)
        version, text = con.execute(
            f"select model_version, functions from {identifier(schema)}.{identifier(name)} "
            "where is_champion"
        ).fetchall()[0]
    made = spark_functions(json.loads(text), f"{name}_v{version}_")
    _send_functions(spark, schema, name, made)
    return made


def send_table(spark: Any, database: Path, schema: str, name: str) -> None:
    """Make a table of DuckDB on Spark too.

    Parameters
    ----------
    spark : SparkSession
        Where to.
    database : Path
        The DuckDB file.
    schema, name : str
        The table.
    """
    spark.sql(f"create schema if not exists {schema}")
    with duckdb.connect(str(database), read_only=True) as con:
        copy_table(spark, con, schema, name)


def copy_table(spark: Any, con: duckdb.DuckDBPyConnection, schema: str, table: str) -> None:
    """Make a table of an open database on Spark too, in a schema that is there."""
    relation = f"{identifier(schema)}.{identifier(table)}"
    columns = con.execute(f"describe {relation}").fetchall()
    listed = ", ".join(
        f"cast({identifier(column)} as varchar) as {identifier(column)}"
        if kind == "JSON"
        else identifier(column)
        for column, kind, *_ in columns
    )
    rows = con.query(f"select {listed} from {relation}").to_arrow_table()
    moments = {column for column, kind, *_ in columns if kind == "TIMESTAMP"}
    _replace(spark, f"{schema}.`{table}`", rows, moments)


def _send_functions(spark: Any, schema: str, name: str, made: dict[str, SparkFunction]) -> None:
    rows = [
        {
            "function_name": function,
            "query": item.query,
            "defaults": json.dumps(dict(item.defaults)),
            "problem": item.problem,
        }
        for function, item in made.items()
    ]
    fields = [(key, pa.string()) for key in ("function_name", "query", "defaults", "problem")]
    _replace(spark, f"{schema}.`{name}__functions`", pa.Table.from_pylist(rows, pa.schema(fields)))


def _replace(spark: Any, target: str, rows: pa.Table, moments: Iterable[str] = ()) -> None:
    from pyspark.sql.pandas.types import from_arrow_schema

    view = "martlet_sent"
    # Without rows Spark does not look at the types that the table has.
    schema = None if rows.num_rows else from_arrow_schema(rows.schema)
    spark.createDataFrame(rows, schema).createOrReplaceTempView(view)
    listed = ", ".join(
        f"cast(`{column}` as timestamp) as `{column}`" if column in moments else f"`{column}`"
        for column in rows.column_names
    )
    spark.sql(f"drop table if exists {target}")
    spark.sql(f"create table {target} as select {listed} from {view}")
    spark.catalog.dropTempView(view)
