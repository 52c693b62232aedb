"""martlet report: one file that opens anywhere, with every text escaped."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import duckdb
import pytest

from martlet.cli import main
from martlet.errors import MartletError
from martlet.report.page import write_report

HOSTILE = "<script>alert('1')</script> & \"quoted\""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create schema marts")
        con.execute("create schema ml")
        con.execute(
            """
            create table marts.fct_segment_profiles as
            select true as is_current, date '2025-06-01' as as_of_date, n as segment_id,
                case when n = 1 then ? else 'lapsed' end as segment_name, 10 * n as customer_count,
                n / 3.0 as customer_share, 20.0 * n as mean_recency_days, 3.0 / n as mean_frequency,
                99.5 as mean_monetary_amount, (1000 / n)::decimal(18, 4) as revenue_amount,
                0.5 as revenue_share, null::double as mean_return_rate, ? as commonest_rfm_segment
            from range(1, 3) as r(n)
            """,
            [HOSTILE, HOSTILE],
        )
        con.execute("""
            create table marts.fct_segment_scan as
            select n as candidate_number,
                case when n < 5 then 'kmeans' else 'hdbscan' end as method,
                'log' as transform, n + 1 as cluster_count, 0.4 - n / 50.0 as silhouette,
                0.9 + n / 50.0 as davies_bouldin_index,
                case when n < 3 then 0.9 end as stability_mean, 0.1 as smallest_share,
                true as passes_gates, n = 2 as is_chosen, 'leaves <b>half</b>' as verdict,
                true as is_champion
            from range(1, 6) as r(n)
        """)
    return path


def test_the_file_is_whole_and_holds_no_script(database: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    titles = write_report(database, output)
    page = output.read_text()
    assert titles == [
        "Customer segments", "How many segments", "Churn probabilities", "Model health",
    ]  # fmt: skip
    assert "marts.dim_ml_models is not in this database" in page
    assert "<script" not in page
    assert "<b>half" not in page
    assert "&lt;script&gt;alert" in page
    assert page.count("<svg") == 2
    # Nothing is fetched: the only addresses are names of XML namespaces.
    addresses = set(re.findall(r"https?://[^\"' <]+", page))
    assert all(address.startswith("http://www.w3.org/") for address in addresses)
    assert not re.search(r"<(link|img|iframe)\b", page)
    assert "ml.ml_churn__calibration is not in this database" in page
    assert output.stat().st_size < 500_000
    assert not list(tmp_path.glob("*.part"))


def test_calibration_is_drawn_when_it_is_there_and_empty_tables_say_so(
    database: Path, tmp_path: Path
) -> None:
    with duckdb.connect(str(database)) as con:
        con.execute("""
            create table ml.ml_churn__calibration as
            select date '2025-03-01' as as_of_date, n as bin, n / 10.0 as bin_from,
                (n + 1) / 10.0 as bin_until, 50 as customer_count,
                n / 10.0 + 0.05 as mean_predicted_probability, n / 10.0 as observed_churn_rate,
                greatest(0, n / 10.0 - 0.1) as observed_churn_rate_lower,
                least(1, n / 10.0 + 0.1) as observed_churn_rate_upper
            from range(10) as r(n)
        """)
        con.execute("delete from marts.fct_segment_profiles")
    output = tmp_path / "report.html"
    write_report(database, output)
    page = output.read_text()
    assert "500 customers at the test cut-off 2025-03-01" in page
    assert "off by 0.050 on average" in page
    assert "marts.fct_segment_profiles is empty" in page


def test_model_health_is_told_and_drawn(database: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(database)) as con:
        con.execute(
            """
            create table marts.dim_ml_models as
            select 'ml_' || title || '__fit' as model_name, title, status,
                timestamp '2025-06-01' as trained_at, 1234 as training_row_count,
                'log_loss' as metric, 0.4 as metric_value, 0.5 as baseline_value,
                true as is_better_than_baseline, reason as insufficient_data_reason
            from (values ('churn', 'trained', null), ('risk', 'insufficient_data', ?))
                as t(title, status, reason)
            """,
            [HOSTILE],
        )
        con.execute("""
            create table marts.fct_ml_monitoring as
            select 'ml_churn__fit' as model_name, 'performance' as check_kind,
                'log_loss' as subject, date '2025-01-01' + 31 * n::int as as_of_date,
                0.4 as check_value, case when n > 0 then 0.5 end as baseline_value,
                case n when 0 then 'alarm' when 2 then 'watch' else 'ok' end as status
            from range(3) as r(n)
        """)
        con.execute("""
            create table marts.fct_ml_retrain_triggers as
            select 'ml_churn__fit' as model_name, 'too_old' as rule, true as is_triggered,
                'fitted 400 days ago' as evidence, 'fit <again>' as action
        """)
    output = tmp_path / "report.html"
    write_report(database, output)
    page = output.read_text()
    assert "2 models are watched; 1 of them have too little data. 1 rules call" in page
    assert "fit &lt;again&gt;" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    # The alarm is of an older date, the newest check is only watched.
    assert re.search(r'>churn<.*?>yes</td><td class="number">0</td><td class="number">1</td>', page)
    assert page.count("<svg") == 3


def test_mistakes_are_one_sentence(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    absent = ["report", "--database", str(tmp_path / "no.duckdb"), "--output", "x.html"]
    assert main(absent) == 2
    assert "There is no database at" in capsys.readouterr().err
    nowhere = ["report", "--database", str(database), "--output", str(tmp_path / "no" / "x.html")]
    assert main(nowhere) == 2
    assert "cannot be written: No such file or directory." in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MartletError, match=r'pip install "martlet\[report\]"'):
        write_report(database, tmp_path / "x.html")
