"""Segments: rule trees over the columns and the behaviour of customers, kept as versioned files.

:mod:`~warehouse.segments.parse` reads a rule, :mod:`~warehouse.segments.compile` makes SQL of it,
:mod:`~warehouse.segments.evaluate` asks a release, :mod:`~warehouse.segments.files` keeps the versions,
:mod:`~warehouse.segments.history` says at each release who entered and who left.
"""
