"""Log-odds and probabilities as SQL: what every model of two classes ends with."""

from __future__ import annotations

from sqlglot import exp

from martlet.sqltext import call, number

__all__ = ["log_odds", "sigmoid"]


def sigmoid(score: exp.Expr) -> exp.Expr:
    """Turn log-odds into a probability.

    Examples
    --------
    >>> from martlet.sqltext import column, render
    >>> render(sigmoid(column("x", None)))
    '1.0000000000000000e+00 / (1.0000000000000000e+00 + EXP(-("x")))'
    """
    power = call("exp", exp.Neg(this=exp.Paren(this=score)))
    below = exp.Paren(this=exp.Add(this=number(1.0), expression=power))
    return exp.Div(this=number(1.0), expression=below)


def log_odds(probability: exp.Expr, edge: float) -> exp.Expr:
    """Turn a probability into log-odds, kept `edge` away from 0 and 1."""
    kept = call("greatest", call("least", probability, number(1 - edge)), number(edge))
    other = exp.Paren(this=exp.Sub(this=number(1.0), expression=kept.copy()))
    return call("ln", exp.Div(this=kept, expression=other))
