"""A shop built twice, whole and as it was on a day: what must not tell the two apart."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from support import beside, run_dbt

__all__ = ["Twice", "build_twice"]

#: What had not happened yet, by table of the shop; orders go last, others ask for them.
LATER = (
    "delete from shop.shop_events where event_at >= {until}",
    "delete from shop.shop_page_requests where requested_at >= {until}",
    "delete from shop.shop_experiment_exposures where exposed_at >= {until}",
    "delete from shop.shop_returns where returned_at >= {until}",
    "update shop.shop_payments set charged_back_at = null where charged_back_at >= {until}",
    "delete from shop.shop_payments where paid_at >= {until}",
    "delete from shop.shop_order_items using shop.shop_orders as o "
    "where shop_order_items.order_id = o.order_id and o.ordered_at >= {until}",
    "delete from shop.shop_orders where ordered_at >= {until}",
    "update shop.shop_orders set is_cancelled = false, cancelled_at = null, "
    "order_status = 'completed' where cancelled_at >= {until}",
)


@dataclass(frozen=True)
class Twice:
    """The same shop with all its rows, and with those before a moment only.

    Attributes
    ----------
    whole, before
        The two warehouses, built as of the same day.
    """

    whole: Path
    before: Path

    def differences(self, table: str, where: str = "true", without: Sequence[str] = ()) -> str:
        """Compare past rows; floating point to nine digits.

        Parameters
        ----------
        table : str
            With its schema.
        where : str
            Which rows are of the past.
        without : sequence of str
            Columns that say when something was loaded or built.

        Returns
        -------
        str
            What differs; empty when nothing does.
        """
        with duckdb.connect() as con:
            con.execute(f"attach '{self.whole}' as whole (read_only)")
            con.execute(f"attach '{self.before}' as before (read_only)")
            found = con.execute(f"describe before.{table}").fetchall()
            kinds = {row[0]: row[1] for row in found if row[0] not in without}
            shown = ", ".join(
                f"case when {name} = 0 then 0 "
                f"else round({name}, 9 - cast(floor(log10(abs({name}))) as integer)) end as {name}"
                if kind in ("DOUBLE", "FLOAT")
                else name
                for name, kind in kinds.items()
            )
            sides = [
                f"(select {shown} from {x}.{table} where {where})" for x in ("before", "whole")
            ]
            counts = [
                con.execute(f"select count(*) from {side}").fetchall()[0][0] for side in sides
            ]
            if not counts[0]:
                return f"{table}: no rows to compare"
            lost, made = (
                con.execute(f"from {one} except all from {other}").fetchall()
                for one, other in (sides, sides[::-1])
            )
        if not lost and not made:
            return ""
        return (
            f"{table}: {counts[0]} rows before, {counts[1]} now; "
            f"gone: {len(lost)} such as {lost[:1]}; new: {len(made)} such as {made[:1]}"
        )


def build_twice(
    shop: Path, folder: Path, models: Sequence[str], as_of_date: str, until: str
) -> Twice:
    """Build models from a shop's tables, whole and without what came later.

    Parameters
    ----------
    shop : Path
        A warehouse with the tables of the schema ``shop``.
    folder : Path
        Where the two warehouses go.
    models : sequence of str
        What to build, with everything it needs after the shop.
    as_of_date, until : str
        The day, and the moment in UTC at which it begins in the shop's time zone.
    """
    made = Twice(beside(shop, "whole"), beside(shop, "before"))
    for database in (made.whole, made.before):
        shutil.copy(shop, database)
        if database == made.before:
            with duckdb.connect(str(database)) as con:
                for statement in LATER:
                    con.execute(statement.format(until=f"timestamp '{until}'"))
        run_dbt(
            "run", "--full-refresh", "--select", *models, database=database,
            target=folder / "target", vars={"martlet_as_of_date": as_of_date},
        )  # fmt: skip
    return made
