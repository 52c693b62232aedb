"""A real BI tool reads the published database: Superset, in an environment of its own.

It describes the columns, queries, draws a chart and goes on while new publications come. Its
DuckDB is a 1.x client. The test makes the environment (about 160 packages) the first time.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from browser import Browser, find_chromium
from environments import python_with
from martlet.cli import main
from support import PROJECT, query, run_dbt

pytestmark = pytest.mark.long

#: Superset 6.1 does not name the first two and breaks with newer releases of the third.
REQUIREMENTS = (
    "apache-superset==6.1.0", "rich", "cachetools", "flask-caching==2.3.1",
    "duckdb-engine==0.17.0", "duckdb==1.5.6",
)  # fmt: skip
SETTINGS = """
SECRET_KEY = {key!r}
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
"""
SEGMENTS = (
    "select rfm_segment, sum(net_revenue_amount), count(*) from marts.dim_customers group by 1"
)
REVENUE = {
    "expressionType": "SQL", "sqlExpression": "sum(net_revenue_amount)", "label": "net_revenue",
}  # fmt: skip
CUSTOMERS = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "customers"}


class Superset:
    """A server and its REST interface, logged in as its administrator."""

    def __init__(self, port: int, password: str) -> None:
        self.url, self._password, self._token = f"http://127.0.0.1:{port}", password, ""
        who = {"username": "admin", "password": password, "provider": "db"}
        self._token = self.call("POST", "security/login", who)["access_token"]

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Call the interface and return its answer."""
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            method=method,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read()[:500]!r}") from error
        return found

    def sql(self, database: int, text: str) -> list[dict[str, Any]]:
        """Return the rows of a query in SQL Lab."""
        body = {"database_id": database, "sql": text, "runAsync": False}
        rows: list[dict[str, Any]] = self.call("POST", "sqllab/execute/", body)["data"]
        return rows

    def cookies(self) -> CookieJar:
        """Log in as a browser does."""
        jar = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        who = urllib.parse.urlencode({"username": "admin", "password": self._password})
        opener.open(f"{self.url}/login/", who.encode(), timeout=60).close()
        return jar


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample shop as far as customers and orders."""
    folder = tmp_path_factory.mktemp("shop")
    database = folder / "martlet.duckdb"
    wanted = ("build", "--select", "+dim_customers", "+fct_orders")
    assert run_dbt(
        *wanted, "--exclude-resource-type", "unit_test", database=database, target=folder / "target"
    ).success
    return database


@pytest.fixture(scope="module")
def published(built: Path) -> Path:
    """The published database."""
    publish(built)
    return built.with_name("published") / "martlet.duckdb"


def publish(built: Path) -> None:
    """Publish what is built; the project gives the descriptions."""
    words = ["publish", "--any-state", "--project-dir", str(PROJECT), "--database", str(built)]
    assert main([*words, "--output", str(built.with_name("published"))]) == 0


@pytest.fixture(scope="module")
def superset(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Superset]:
    """A running server with an empty database of its own."""
    program = python_with(request.config, "superset", *REQUIREMENTS).with_name("superset")
    folder, password = tmp_path_factory.mktemp("superset"), secrets.token_hex(8)
    settings = folder / "superset_config.py"
    settings.write_text(SETTINGS.format(key=secrets.token_hex(32), folder=folder))
    environment = {**os.environ, "SUPERSET_CONFIG_PATH": str(settings), "FLASK_APP": "superset"}
    person = ["--firstname", "a", "--lastname", "b", "--email", "a@b.example"]
    for words in (
        ["db", "upgrade"],
        ["fab", "create-admin", "--username", "admin", "--password", password, *person],
        ["init"],
    ):
        subprocess.run(
            [str(program), *words], check=True, env=environment, capture_output=True, timeout=300
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [str(program), "run", "--port", str(port), "--with-threads"],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        yield Superset(port, password)
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    for _ in range(240):
        assert server.poll() is None, "Superset ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError("Superset does not answer")


@pytest.fixture(scope="module")
def database(superset: Superset, published: Path) -> int:
    """Superset's number of the published database."""
    read_only = {"engine_params": {"connect_args": {"read_only": True}}}
    body = {
        "database_name": "martlet",
        "sqlalchemy_uri": f"duckdb:///{published}",
        "extra": json.dumps(read_only),
    }
    return int(superset.call("POST", "database/", body)["id"])


@pytest.fixture(scope="module")
def customers(superset: Superset, database: int) -> int:
    """Superset's number of the data set on ``marts.dim_customers``."""
    body = {"database": database, "schema": "marts", "table_name": "dim_customers"}
    return int(superset.call("POST", "dataset/", body)["id"])


def test_columns_come_with_their_descriptions(superset: Superset, customers: int) -> None:
    columns = superset.call("GET", f"dataset/{customers}")["result"]["columns"]
    described = {column["column_name"]: column["description"] for column in columns}
    assert described["net_revenue_amount"] == "Gross revenue minus returns, reporting currency."
    assert all(described.values())


def test_a_chart_has_the_numbers_of_the_marts(
    superset: Superset, customers: int, built: Path
) -> None:
    asked = {"columns": ["rfm_segment"], "metrics": [REVENUE, CUSTOMERS], "row_limit": 100}
    body = {"datasource": {"id": customers, "type": "table"}, "queries": [asked]}
    answer = superset.call("POST", "chart/data", body)["result"][0]["data"]
    told = {row["rfm_segment"]: (row["net_revenue"], row["customers"]) for row in answer}
    assert told == {
        segment: (pytest.approx(float(revenue)), count)
        for segment, revenue, count in query(built, SEGMENTS)
    }


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome on this machine")
def test_the_chart_is_drawn(superset: Superset, customers: int, tmp_path: Path) -> None:
    form = {
        "viz_type": "echarts_timeseries_bar", "datasource": f"{customers}__table",
        "x_axis": "rfm_segment", "metrics": [REVENUE], "orientation": "horizontal",
        "groupby": [], "row_limit": 100,
    }  # fmt: skip
    body = {
        "slice_name": "Net revenue by segment",
        "viz_type": form["viz_type"],
        "datasource_id": customers,
        "datasource_type": "table",
        "params": json.dumps(form),
    }
    chart = superset.call("POST", "chart/", body)["id"]
    with Browser(str(find_chromium()), tmp_path / "profile") as browser:
        for cookie in superset.cookies():
            browser.call(
                "Network.setCookie", name=cookie.name, value=cookie.value, url=superset.url
            )
        browser.screen(1300)
        browser.call("Page.navigate", url=f"{superset.url}/explore/?slice_id={chart}")
        end = time.monotonic() + 60
        while not browser.value("document.querySelectorAll('canvas').length"):
            assert time.monotonic() < end, "no chart is drawn"
            time.sleep(0.5)
        assert browser.value("document.title") == "Net revenue by segment"
        picture = base64.b64decode(browser.call("Page.captureScreenshot")["data"])
        (tmp_path / "chart.png").write_bytes(picture)
        assert "12 rows" in browser.value("document.body.innerText")


def test_superset_goes_on_while_publications_come(
    superset: Superset, database: int, built: Path
) -> None:
    def generation() -> str:
        row = superset.sql(database, "select generation from publication")[0]
        return str(row["generation"])

    seen, failed, done = [generation()], [], threading.Event()

    def poll() -> None:
        while not done.is_set():
            try:
                seen.append(generation())
            except AssertionError as error:
                failed.append(str(error))

    reader = threading.Thread(target=poll)
    reader.start()
    for _ in range(3):
        publish(built)
        time.sleep(1.5)
    done.set()
    reader.join()
    assert not failed
    # It never goes back to a publication it has left.
    assert [*dict.fromkeys(seen)] == [
        one for one, two in zip(seen, [*seen[1:], ""], strict=True) if one != two
    ]
    assert len(set(seen)) == 4
    assert (
        seen[-1]
        == query(
            built.with_name("published") / "martlet.duckdb", "select generation from publication"
        )[0][0]
    )
