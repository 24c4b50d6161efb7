"""Stages in order, their checks, and the Dagster job that runs them."""
