"""``martlet spark``: features on Spark, fits on DuckDB, predictions and marts on Spark again.

dbt's graph says what can be done next: fits whose training rows Spark has made are fitted on DuckDB
and sent to Spark; models whose inputs are all there then are built there; a model that calls a
function Spark has no equal of, or that Spark's engine refuses, is made on DuckDB from Spark's
tables and sent; until all is done.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from martlet.errors import MartletError
from martlet.spark.engine import spark_server, spark_session

__all__ = ["Round", "add_arguments", "run", "write_sample"]

#: ``ml_predict(ref('model'), ...)`` and its like in a model's text.
_CALL = re.compile(r"\bml_(\w+)\(\s*ref\('(\w+)'\)\s*(?:,\s*(['\w]+))?")
#: Macros that read tables of a fitted model, not a function of it.
_TABLES = {"part"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``martlet spark``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Its parser.
    """
    parser.add_argument(
        "--folder", type=Path, default=Path("target/spark"), help="where files go (target/spark)"
    )
    parser.add_argument("--vars", default="{}", help="settings for dbt, as YAML")
    parser.add_argument("--project-dir", type=Path, help="folder with dbt_project.yml")


def run(options: argparse.Namespace, project: Path) -> int:
    """Run ``martlet spark``.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed arguments.
    project : Path
        The dbt project.

    Returns
    -------
    int
        Exit code: 0, or 1 when a model failed.
    """
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    settings = yaml.safe_load(options.vars) or {}
    if not settings.get("martlet_raw_path"):
        settings["martlet_raw_path"] = str(write_sample(project, folder / "raw"))
    with spark_server(folder) as remote, spark_session(remote) as spark:
        done = Round(project, folder, remote, spark, settings)
        done.run()
        _write_marts(done, folder / "marts")
    print(done.summary())
    return 1 if done.failed else 0


def write_sample(project: Path, folder: Path) -> Path:
    """Write the sample shop as Parquet; what is a seed in parts becomes one file.

    Parameters
    ----------
    project : Path
        The dbt project.
    folder : Path
        Where to.
    """
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[str]] = {}
    for file in sorted((project / "seeds" / "sample").glob("*.csv")):
        parts.setdefault(file.stem.rstrip("0123456789").rstrip("_"), []).append(str(file))
    for name, files in parts.items():
        duckdb.sql(
            f"copy (from read_csv({files!r}, all_varchar = true, header = true)) "
            f"to '{folder / name}.parquet'"
        )
    return folder


@dataclass
class Round:
    """One round over both engines.

    Attributes
    ----------
    project, folder
        The dbt project, and where files go: ``fits.duckdb`` and ``features/``.
    remote, spark
        Address of the Spark Connect server, and a session there.
    settings
        Settings for dbt.
    stages
        Names of the models that each turn on Spark built, the features first.
    fitted
        Names of the fitted models, in their order.
    sent
        Names of the models that were made on DuckDB and sent to Spark, which has no equal of a
        function they call.
    refused
        Why, by name.
    failed
        Names of models and tests that ended in an error.
    """

    project: Path
    folder: Path
    remote: str
    spark: Any
    settings: Mapping[str, Any]
    stages: list[list[str]] = field(default_factory=list)
    fitted: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nodes: dict[str, Any] = {}
        self.done: set[str] = set()
        self.brought: set[str] = set()
        self.problems: dict[str, dict[str, str]] = {}

    @property
    def database(self) -> Path:
        """The DuckDB file of the fits."""
        return self.folder / "fits.duckdb"

    @functools.cached_property
    def file_format(self) -> str:
        """What Spark keeps tables in: Delta, or Parquet where the server has no Delta."""
        try:
            self.spark.sql("create or replace temporary view martlet_probe using delta")
        except Exception as error:
            if "DATA_SOURCE_NOT_FOUND" in str(error):
                return "parquet"
        return "delta"

    def run(self) -> None:
        """Go on until nothing more can be built."""
        from martlet.spark.transfer import send_model, send_table

        self.database.unlink(missing_ok=True)
        # Without Delta nothing can be merged into what an earlier round left.
        whole = [] if self.file_format == "delta" else ["--full-refresh"]
        self._dbt("spark", "build", "--selector", "portable", *whole)
        self._note_stage(set())
        while True:
            ready, refused = self._ready_fits(), self._refused_ready()
            if not ready | refused:
                return
            # Fits, and models whose functions Spark does not have, read what Spark has made.
            self._bring(ready | refused)
            # Sessions are Spark's: the ledger that DuckDB would go on from is not here.
            self._dbt(
                "dev", "build", "--full-refresh", "--indirect-selection", "cautious",
                "--exclude-resource-type", "unit_test",
                "--select", *sorted(self._names(ready | refused)),
            )  # fmt: skip
            for key in sorted((ready | refused) & self.done):
                schema, name = self.nodes[key]["schema"], self.nodes[key]["name"]
                if key in ready:
                    made = send_model(self.spark, self.database, schema, name)
                    self.problems[name] = {
                        function: item.problem for function, item in made.items() if item.problem
                    }
                    self.fitted.append(name)
                else:
                    send_table(self.spark, self.database, schema, name)
                    self.sent.append(name)
            before = set(self.done)
            tried = self._buildable()
            if tried:
                self._dbt("spark", "run", "--select", *sorted(self._names(tried)))
                self._note_stage(before)

    def _note_stage(self, before: set[str]) -> None:
        self.stages.append(sorted(self._names(self.done - before)))

    def _bring(self, wanted: set[str]) -> None:
        """Let DuckDB see the inputs that Spark has made."""
        from martlet.spark.transfer import bring_features

        inputs = {parent for key in wanted for parent in self._parents(key)} - self.brought
        own = {*self.fitted, *self.sent}
        tables = [
            (self.nodes[key]["schema"], self.nodes[key]["alias"])
            for key in sorted(inputs)
            if self.nodes[key]["name"] not in own
        ]
        bring_features(self.spark, self.database, self.folder / "features", tables)
        self.brought |= inputs

    def summary(self) -> str:
        """Say what was built where, and what was not and why."""
        built = {name for stage in self.stages for name in stage}
        lines = [
            f"On Spark: {len(built)} tables in {len(self.stages)} turns. On DuckDB: "
            f"{len(self.fitted)} models fitted, {len(self.sent)} tables made and sent to Spark."
        ]
        lines += [f"  made on DuckDB: {name}: {self.refused[name]}" for name in self.sent]
        left = set(self._names(self._sql_models())) - built - set(self.sent)
        lines += [f"  not built: {name}" for name in sorted(left)]
        lines += [f"  failed: {name}" for name in self.failed]
        return "\n".join(lines)

    # What dbt knows.

    def _dbt(self, target: str, *arguments: str) -> None:
        target_path = self.folder / f"dbt-{target}"
        command = [
            str(Path(sys.executable).with_name("dbt")), *arguments, "--target", target,
            "--profiles-dir", str(self.project / "profiles"), "--project-dir", str(self.project),
            "--target-path", str(target_path), "--log-path", str(target_path),
            "--vars", json.dumps(dict(self.settings)),
        ]  # fmt: skip
        environment = {
            "MARTLET_SPARK_REMOTE": self.remote,
            "MARTLET_SPARK_FORMAT": self.file_format,
            "MARTLET_DATABASE": str(self.database),
            # dbt-spark asks each statement's session for Hive, which Spark Connect cannot give it.
            "PYTHONWARNINGS": "ignore::UserWarning:pyspark.sql.connect.conf",
        }
        results = target_path / "run_results.json"
        results.unlink(missing_ok=True)
        code = subprocess.run(command, env=os.environ | environment, check=False).returncode
        if code not in (0, 1) or not results.exists():
            raise MartletError("dbt did not run: see what it said above.")
        manifest = json.loads((target_path / "manifest.json").read_text())
        self.nodes = manifest["nodes"]
        for result in json.loads(results.read_text())["results"]:
            if result["status"] in ("success", "pass", "warn"):
                self.done.add(result["unique_id"])
            elif result["status"] in ("error", "fail"):
                self._note_failure(target, result)

    def _note_failure(self, target: str, result: Mapping[str, Any]) -> None:
        """Note why a model is left to DuckDB, or that something is wrong."""
        node = self.nodes.get(result["unique_id"], {})
        if target == "spark" and self.fitted and node.get("resource_type") == "model":
            lines = [line.strip() for line in str(result["message"]).splitlines() if line.strip()]
            self.refused[node["name"]] = " ".join(lines[:2])[:160]
        else:
            self.failed.append(result["unique_id"])

    def _names(self, keys: Iterable[str]) -> Iterator[str]:
        return (
            self.nodes[key]["name"] for key in keys if self.nodes[key]["resource_type"] == "model"
        )

    def _sql_models(self) -> set[str]:
        return {
            key
            for key, node in self.nodes.items()
            if node["resource_type"] == "model" and not _is_fit(node) and _is_ours(node)
        }

    def _parents(self, key: str) -> set[str]:
        return set(self.nodes[key]["depends_on"]["nodes"])

    def _ready_fits(self) -> set[str]:
        tried = self.done | set(self.failed)
        return {
            key
            for key, node in self.nodes.items()
            if node["resource_type"] == "model" and _is_fit(node) and key not in tried
            and self._parents(key) <= self.done
        }  # fmt: skip

    def _waiting(self) -> set[str]:
        return self._sql_models() - self.done - set(self.failed)

    def _refused_ready(self) -> set[str]:
        """Return the models whose inputs are there, but not a function they call."""
        return {
            key for key in self._waiting() if self._parents(key) <= self.done and self._refuse(key)
        }

    def _buildable(self) -> set[str]:
        """Return the models whose inputs are all there, or are built before them."""
        found: set[str] = set()
        waiting = {key for key in self._waiting() if not self._refuse(key)}
        while new := {key for key in waiting - found if self._parents(key) <= self.done | found}:
            found |= new
        return found

    def _refuse(self, key: str) -> bool:
        node = self.nodes[key]
        if node["name"] in self.refused:
            return True
        for macro, model, rows in _CALL.findall(node["raw_code"]):
            if macro in _TABLES:
                continue
            function = macro if rows else f"{macro}_stored"
            if macro == "stored_function":
                function = str(rows).strip("'")
            problem = self.problems.get(model, {}).get(function)
            if problem:
                self.refused[node["name"]] = f"{function} of {model}: {problem}"
                return True
        return False


def _is_fit(node: Mapping[str, Any]) -> bool:
    return bool(node["config"].get("materialized") == "model")


def _is_ours(node: Mapping[str, Any]) -> bool:
    """Tell whether a model is one of the flow; exports are for tools beside the DuckDB file."""
    return not node["original_file_path"].startswith("models/exports")


def _write_marts(done: Round, folder: Path) -> None:
    """Write the marts as Parquet: a server started here forgets its tables when it ends."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for node in done.nodes.values():
        if (
            node["resource_type"] == "model"
            and node["schema"] == "marts"
            and node["unique_id"] in done.done
        ):
            table = done.spark.sql(f"select * from marts.{node['name']}").toArrow()
            pq.write_table(table, folder / f"{node['name']}.parquet")
