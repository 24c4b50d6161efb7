"""The parts of the asset graph that Dagster loads by itself."""
