"""Benchmarks: commands that measure, each in one run with what it is compared against."""
