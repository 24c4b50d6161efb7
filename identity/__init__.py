"""Identity resolution as a pure library: tables in, tables out; no files, clock or network."""
