"""What the project relies on in DuckDB itself."""

from __future__ import annotations

import duckdb
import yaml

from support import PROJECT

# A sum above a left join whose right side is filtered by what no row fulfils.
WRONG_IN_2_0_0 = """
    select sums.total, sums.total <> 20
    from (
        select o.class, sum(case when o.id >= 0 then 1 else 0 end) as total
        from o
        left join (select class from p where flag) as q on o.class = q.class
        group by o.class
    ) as sums
    limit 1
"""


def test_left_join_is_right_with_the_settings_of_the_profile() -> None:
    profile = yaml.safe_load((PROJECT / "profiles" / "profiles.yml").read_text())["martlet"]
    disabled = profile["outputs"]["dev"]["settings"]["disabled_optimizers"]
    with duckdb.connect() as connection:
        connection.execute(f"set disabled_optimizers = '{disabled}'")
        connection.execute("create table o as select i as id, i % 5 as class from range(100) t(i)")
        connection.execute("create table p as select i as class, false as flag from range(5) t(i)")
        assert connection.execute(WRONG_IN_2_0_0).fetchone() == (20, False)
