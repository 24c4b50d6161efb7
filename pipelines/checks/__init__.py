"""Checks of the data: rows by Great Expectations before they commit, whole tables by DuckDB."""
