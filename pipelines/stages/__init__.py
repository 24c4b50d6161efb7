"""Stage bodies: each reads, calls the package that does the work, commits, reports. No Dagster here."""
