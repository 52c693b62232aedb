"""BigQuery ML's SQL as dbt models: ``martlet bqml convert``."""

from martlet.bqml.convert import Conversion, ModelFile, Settings, convert

__all__ = ["Conversion", "ModelFile", "Settings", "convert"]
