"""Market baskets: frequent itemsets, rules between them and what a basket is completed with.

Everything counts in DuckDB, in whole numbers, over a table of baskets and items; Python only says
which query comes next and sums the tails of Fisher's test.
"""
