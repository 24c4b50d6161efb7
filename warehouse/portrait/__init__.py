"""What one page about a customer shows, read from one release: who, value, history, and why it is one person.

:mod:`warehouse.portrait.seen` reads rows as the caller may see them; every other module goes through it.
"""
