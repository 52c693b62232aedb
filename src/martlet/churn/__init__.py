"""Churn: candidates compared on held-out time, calibrated, and measured.

- `martlet.churn.measures`: every figure of the comparison
- `martlet.churn.calibration`: the shape of the probabilities, learned on an earlier cut-off
- `martlet.churn.folds`: which cut-offs train, choose and test
- `martlet.churn.candidates`: the candidates, from the baseline up, as SQL

The model type that uses them is `martlet.estimators.churn`.
"""
