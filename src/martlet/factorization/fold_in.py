"""New users by SQL, without a fit: their ridge regression on the stored item vectors.

The items' Gram matrix is diagonal, as the vectors lie along their principal axes. So the equations
of one user are a diagonal plus one rank for each rated item, and conjugate gradients that are
preconditioned by that diagonal end after as many steps as the user has items, at most one a factor.

References
----------
Hu, Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets", ICDM,
section 4 (the equations). Golub and Van Loan (2013), "Matrix computations", sections 11.3 and 11.5
(conjugate gradients, the steps that a low rank takes).
"""

from __future__ import annotations

from dataclasses import dataclass

from martlet.factorization.ratings import RatingColumns
from martlet.sqltext import array, number, render

__all__ = ["Ridge", "fold_in_steps"]

#: Steps after the last that is needed in exact arithmetic.
_SPARE = 2


@dataclass(frozen=True)
class Ridge:
    """What the regression of a user needs besides the item vectors.

    Attributes
    ----------
    gram
        Diagonal of the items' Gram matrix; empty for explicit feedback.
    l2_reg, least
        The ridge, and the least one.
    weigh
        Whether the ridge is multiplied by the weight of the observations.
    alpha
        Confidence of an event; None is explicit.
    items
        Number of items.
    intercept
        The global one.
    """

    gram: tuple[float, ...]
    l2_reg: float
    least: float
    weigh: bool
    alpha: float | None
    items: int
    intercept: float

    def diagonal(self, width: int) -> str:
        """Return SQL of the diagonal, a list: what no rated item adds to the equations."""
        ridge, least = render(number(self.l2_reg)), render(number(self.least))
        ridge = f"greatest({ridge} * {'total' if self.weigh else '1.0e0'}, {least})"
        gram = self.gram or (0.0,) * width
        return f"list_transform({render(array(map(number, gram)))}, lambda g: g + {ridge})"


def fold_in_steps(columns: RatingColumns, ridge: Ridge, factors: int) -> str:
    """Return common table expressions; the last, ``folded``, has a row a user.

    Parameters
    ----------
    columns : RatingColumns
        Of the rows the function is given, ``input``.
    ridge : Ridge
        The regression.
    factors : int
        Length of the vectors.

    Notes
    -----
    ``folded`` has ``u`` (text), ``x`` (the solution; with explicit feedback the user's intercept is
    its last element), ``known`` (rated items that have a vector) and ``seen`` (their numbers).
    Repeated pairs are put together as in training; what training has no vector of tells nothing.
    """
    explicit = ridge.alpha is None
    width = factors + explicit
    alpha = render(number(ridge.alpha or 0.0))
    vector = "cast(i.factors as double[])"
    vector = f"list_append({vector}, 1.0e0)" if explicit else vector
    # Weight of the item in the normal equations, and on their right side.
    weight = "1.0e0" if explicit else f"{alpha} * p.r"
    wanted = (
        f"p.r - {render(number(ridge.intercept))} - i.intercept"
        if explicit
        else f"1.0e0 + {alpha} * p.r"
    )
    total = "1.0e0" if explicit else weight
    start = "0.0e0" if explicit else f"{render(number(float(ridge.items)))}"
    rating = f"rating_col {columns.rating} is negative: implicit feedback counts events"
    checked = "avg(r)" if explicit else (
        f"case when min(r) < 0 then error('{rating.replace(chr(39), chr(39) * 2)}') else sum(r) end"
    )  # fmt: skip
    return f"""told as materialized (
    select u, i, {checked} as r
    from ({columns.query("query_table(input)")}) group by u, i
), gathered as (
    select p.u, count(i.item_id) as known,
        coalesce(list(i.item_number order by i.item_number)
            filter (where i.item_id is not null), []) as seen,
        coalesce(list({vector} order by i.item_number)
            filter (where i.item_id is not null), []) as z,
        coalesce(list({weight} order by i.item_number)
            filter (where i.item_id is not null), []) as c,
        coalesce(list({wanted} order by i.item_number)
            filter (where i.item_id is not null), []) as w,
        {start} + coalesce(sum({total}) filter (where i.item_id is not null), 0.0e0) as total
    from told as p left join {{part:items}} as i on i.item_id = p.i
    where {"true" if explicit else "p.r > 0"} group by p.u
), turned as (
    select u, known, seen, z, c, w, {ridge.diagonal(width)} as d,
        list_transform(range(1, {width} + 1), lambda j: list_transform(z, lambda v: v[j])) as t
    from gathered
), begun as (
    select *, list_transform(t, lambda k: coalesce(list_inner_product(k, w), 0.0e0)) as b
    from turned
), started as (
    select *, list_transform(b, lambda v, j: v / d[j]) as h from begun
), folded as (
    select u, known, seen, list_reduce(list_prepend(
        struct_pack(x := list_transform(b, lambda v: 0.0e0), r := b, p := h,
            s := list_inner_product(b, h)),
        list_transform(range(least(known, {width}) + {_SPARE}), lambda n: struct_pack(
            x := cast([] as double[]), r := cast([] as double[]), p := cast([] as double[]),
            s := 0.0e0))
    ), {_STEP}).x as x
    from started
)"""


def _let(name: str, value: str, body: str) -> str:
    """Name a value inside a lambda, which has no other way to do so."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"


#: One step from the state `a`: solution x, residual r, direction p, and s = r * (r / d).
_STEP = "lambda a, e: " + _let(
    "q",
    "list_transform(t, lambda k, j: d[j] * a.p[j] + coalesce(list_inner_product(k, "
    "list_transform(z, lambda v, m: c[m] * list_inner_product(v, a.p))), 0.0e0))",
    _let(
        "g",
        "coalesce(a.s / nullif(list_inner_product(a.p, q), 0), 0.0e0)",
        _let(
            "o",
            "list_transform(a.r, lambda v, j: v - g * q[j])",
            _let(
                "f",
                "list_transform(o, lambda v, j: v / d[j])",
                _let(
                    "y",
                    "list_inner_product(o, f)",
                    "struct_pack(x := list_transform(a.x, lambda v, j: v + g * a.p[j]), r := o, "
                    "p := list_transform(f, lambda v, j: v + coalesce(y / nullif(a.s, 0), 0.0e0) "
                    "* a.p[j]), s := y)",
                ),
            ),
        ),
    ),
)
