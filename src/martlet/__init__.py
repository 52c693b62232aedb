"""Martlet: SQL-first machine learning for online shops, inside DuckDB, with nothing but dbt."""

__all__ = ["__version__"]

__version__ = "0.1.0"
