"""Measures for marketing: what they are made from, and what a page asks about one customer.

The definitions are in docs/explanation/measures.md; the SQL is ``warehouse/sql/measure_*.sql``.
"""
