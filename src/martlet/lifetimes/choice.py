"""Fitting every date and cohort, and choosing the family that predicts.

A date's fits see that date's rows. Which family answers is decided from what was known then
too: how well each, fitted at an earlier date, foretold who had bought again by this one.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from martlet.lifetimes.fitting import ProcessFit, fit_process
from martlet.lifetimes.histories import Histories, Outcome
from martlet.lifetimes.statistics import PurchaseStatistics

__all__ = ["DateFits", "arrival_ratio", "choose", "fit_dates"]

#: Log scores a customer closer than this are a tie, which the likelihood decides.
TIE = 0.002
#: Fewer hold-out customers do not decide.
FEWEST_SCORED = 100
#: Customers appearing so much faster at first than later were there before the data.
TRUNCATED = 1.6


@dataclass
class DateFits:
    """The fits of one date and cohort.

    Attributes
    ----------
    as_of, cohort
        None where there is one only.
    data
        The histories fitted, after the burn-in.
    fits
        One a family.
    chosen
        The one that predicts; None when there is too little.
    scores
        Mean log score of each family over the closed hold-outs, and of the NBD.
    scored
        Customers in these.
    arrival_ratio, is_truncated, later_dropout
        Of the check for tables that open mid-life.
    """

    as_of: datetime.date | None
    cohort: str | None
    data: PurchaseStatistics
    fits: list[ProcessFit]
    chosen: ProcessFit | None = None
    scores: dict[str, float] = field(default_factory=dict)
    scored: int = 0
    arrival_ratio: float = float("nan")
    is_truncated: bool = False
    later_dropout: float | None = None


def fit_dates(
    histories: Histories,
    families: Sequence[str],
    burn_in: float = 0.0,
    horizon: float = 90.0,
    seed: int = 0,
) -> list[DateFits]:
    """Fit every date and cohort, dates in order.

    Parameters
    ----------
    histories : Histories
        The grouped rows.
    families : sequence of str
        Families to fit.
    burn_in : float
        Customers first seen within so much time of the first of all are left out.
    horizon : float
        Days of the hold-outs that help to choose.
    seed : int
        For the sample that starts race on.
    """
    found: list[DateFits] = []
    known: dict[datetime.date, DateFits] = {}
    totals: dict[str, list[float]] = {}
    last: dict[str | None, DateFits] = {}
    keys = sorted(histories.groups, key=lambda k: (str(k[0] or ""), k[1] is not None, k[1] or ""))
    latest = max((key[0] for key in keys if key[0] is not None), default=None)
    for as_of, cohort in keys:
        whole = histories.groups[as_of, cohort]
        data = after_burn_in(whole, burn_in)
        item = DateFits(as_of, cohort, data, [])
        before = last.get(cohort)
        for family in families:
            earlier = before.fits if before else ()
            near = next((fit for fit in earlier if fit.family == family), None)
            item.fits.append(fit_process(family, data, near, seed, as_of == latest))
        if cohort is None and as_of is not None:
            known[as_of] = item
            _score(item, histories.outcomes.get(as_of), known, totals)
        item.chosen = choose(item.fits, item.scores, item.scored)
        item.arrival_ratio = arrival_ratio(whole)
        item.is_truncated = burn_in == 0 and item.arrival_ratio > TRUNCATED
        last[cohort] = item
        found.append(item)
    everyone = [item for item in found if item.cohort is None]
    if everyone and everyone[-1].is_truncated:
        everyone[-1].later_dropout = _later_dropout(everyone[-1], seed)
    return found


def after_burn_in(data: PurchaseStatistics, burn_in: float) -> PurchaseStatistics:
    """Leave out customers first seen within the burn-in of the first of all.

    Parameters
    ----------
    data : PurchaseStatistics
        The histories.
    burn_in : float
        In the unit of the ages.
    """
    if burn_in <= 0 or not len(data):
        return data
    return data.subset(data.age <= data.age.max() - burn_in)


def arrival_ratio(data: PurchaseStatistics) -> float:
    """Return how much faster customers appear in the first tenth of the time than later.

    About 1 where the data begin with the shop. A single cohort, with hardly anybody appearing
    later, gives NaN.

    Parameters
    ----------
    data : PurchaseStatistics
        The histories.
    """
    if not len(data):
        return float("nan")
    span = float(data.age.max())
    seen = span - data.age
    first = float(data.weight[seen < 0.1 * span].sum())
    later = float(data.weight[(seen >= 0.1 * span) & (seen < 0.3 * span)].sum())
    if later < 0.05 * first or first + later < 50:
        return float("nan")
    return first / (later / 2)


def choose(fits: Sequence[ProcessFit], scores: dict[str, float], scored: int) -> ProcessFit | None:
    """Return the fit that predicts.

    Parameters
    ----------
    fits : sequence of ProcessFit
        One a family.
    scores : dict
        Mean hold-out log score by family; empty without closed hold-outs.
    scored : int
        Customers in these.
    """
    usable = [fit for fit in fits if fit.status == "ok"]
    usable = usable or [fit for fit in fits if fit.status == "no_drop_out"]
    usable = usable or [fit for fit in fits if fit.status in ("at_bound", "not_converged")]
    if not usable:
        return None
    if scores and scored >= FEWEST_SCORED:
        best = max(scores.get(fit.family, -np.inf) for fit in usable)
        usable = [fit for fit in usable if scores.get(fit.family, -np.inf) >= best - TIE] or usable
    return max(usable, key=lambda fit: fit.log_likelihood)


def _score(
    item: DateFits,
    outcome: Outcome | None,
    known: dict[datetime.date, DateFits],
    totals: dict[str, list[float]],
) -> None:
    """Add this date's hold-out to those before and note the means."""
    if outcome is not None:
        assert item.as_of is not None
        start = item.as_of - datetime.timedelta(days=int(outcome.days))
        for fit in known[start].fits if start in known else ():
            if not len(fit.parameters):
                continue
            none = fit.process.no_purchase_probability(fit.parameters, outcome.data, outcome.days)
            none = np.clip(none, 1e-9, 1 - 1e-9)
            missed = outcome.data.weight - outcome.bought
            score = float(outcome.bought @ np.log1p(-none) + missed @ np.log(none))
            entry = totals.setdefault(fit.family, [0.0, 0.0])
            entry[0] += score
            entry[1] += outcome.data.customers
    item.scores = {family: score / count for family, (score, count) in totals.items() if count}
    item.scored = int(min((count for _, count in totals.values()), default=0))


def _later_dropout(item: DateFits, seed: int) -> float | None:
    """Return the mean drop-out without customers seen in the first quarter of the time."""
    if item.chosen is None:
        return None
    data = after_burn_in(item.data, 0.25 * float(item.data.age.max()))
    fit = fit_process(item.chosen.family, data, None, seed)
    return fit.process.mean_dropout(fit.parameters) if len(fit.parameters) else None
