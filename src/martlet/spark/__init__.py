"""Fitted models on Spark: their functions translated, and the round between the two engines."""
