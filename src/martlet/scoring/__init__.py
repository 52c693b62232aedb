"""From a fitted model to stored SQL functions."""
