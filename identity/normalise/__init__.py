"""Normalisers: one pure function per kind of value, applied to distinct values only."""
