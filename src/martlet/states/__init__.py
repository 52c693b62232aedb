"""Hidden states of customers over time."""
