"""Arithmetic over columns, as ``amount:`` in cdp.yaml takes it, compiled to DuckDB SQL.

``quantity * unit_price - "Discount %"``: numbers, column names (quoted where they are no plain
word), ``+ - * /``, brackets, and the functions ``abs``, ``round`` and ``coalesce``. Nothing else
gets through, so an expression can neither read files nor call anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cdp.errors import ConfigError

if TYPE_CHECKING:
    from sqlglot import exp

NUMBER = "DECIMAL(18, 6)"


def _parse(text: str) -> exp.Expr:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(text, read="duckdb")
    except SqlglotError:
        raise ConfigError(
            f"The expression {text!r} cannot be read.",
            hint='Expected arithmetic over columns, such as: quantity * "unit price"',
        ) from None


def is_column(text: str) -> bool:
    """Say whether ``text`` is one column's name rather than arithmetic.

    >>> is_column("total"), is_column("quantity * price"), is_column("Total Amount")
    (True, False, True)
    """
    return not any(sign in text for sign in '*+/()"') and " - " not in text


def columns(text: str) -> list[str]:
    """Return the column names of an expression, in the order of their first use.

    >>> columns('Quantity * "Unit Price" + Quantity')
    ['Quantity', 'Unit Price']
    """
    from sqlglot import exp

    if is_column(text):
        return [text]
    return list(dict.fromkeys(_column_name(node) for node in _parse(text).find_all(exp.Column, bfs=False)))


def _column_name(node: exp.Column) -> str:
    return ".".join(part.name for part in node.parts)


def _number(field: str) -> str:
    """Return SQL (text) of a number as people write it: 1,234.50, 1.234,50, 1 234,50 and 25,00.

    A comma before three digits separates thousands (1,234), any other single one is the decimal sign.
    What is no number stays as it is.
    """
    tight = f"regexp_replace({field}, '[\\s\u00a0\u202f]', '', 'g')"
    return (
        f"CASE WHEN {field} IS NULL OR try_cast({field} AS {NUMBER}) IS NOT NULL THEN {field} "
        f"WHEN regexp_full_match({tight}, '[+-]?[1-9]\\d{{0,2}}(,\\d{{3}})+(\\.\\d*)?') THEN replace({tight}, ',', '') "
        f"WHEN regexp_full_match({tight}, '[+-]?(\\d+|\\d{{1,3}}(\\.\\d{{3}})+)(,\\d+)?') "
        f"THEN replace(replace({tight}, '.', ''), ',', '.') ELSE {field} END"
    )


def compile_amount(text: str, field_of: Callable[[str], str]) -> str:
    """Return SQL (text) of the expression; ``field_of`` gives the SQL field of a column.

    A cell that is no number makes the result the text ``not a number``, so that the envelope can
    be quarantined for it; a missing cell makes it NULL.
    """
    names = columns(text)
    if is_column(text):
        return _number(field_of(text))
    sql = _sql(_parse(text), field_of)
    broken = " OR ".join(
        f"({field_of(name)} IS NOT NULL AND try_cast({_number(field_of(name))} AS {NUMBER}) IS NULL)"
        for name in names
    )
    result = f"({sql})::DECIMAL(18, 4)::VARCHAR"
    return f"CASE WHEN {broken} THEN 'not a number' ELSE {result} END" if names else result


def _sql(node: exp.Expr, field_of: Callable[[str], str]) -> str:  # noqa: PLR0911 - one case per node
    from sqlglot import exp

    if isinstance(node, exp.Paren):
        return f"({_sql(node.this, field_of)})"
    if isinstance(node, exp.Neg):
        return f"(-{_sql(node.this, field_of)})"
    if isinstance(node, exp.Literal) and not node.is_string:
        return str(node.this)
    if isinstance(node, exp.Column):
        return f"try_cast({_number(field_of(_column_name(node)))} AS {NUMBER})"
    operators: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
    operator = operators.get(type(node))
    if operator is not None:
        return f"({_sql(node.this, field_of)} {operator} {_sql(node.expression, field_of)})"
    if isinstance(node, exp.Abs):
        return f"abs({_sql(node.this, field_of)})"
    if isinstance(node, exp.Round):
        decimals = node.args.get("decimals")
        return f"round({_sql(node.this, field_of)}, {int(decimals.name) if decimals is not None else 0})"
    if isinstance(node, exp.Coalesce):
        return f"coalesce({', '.join(_sql(part, field_of) for part in [node.this, *node.expressions])})"
    raise ConfigError(
        f"{node.sql(dialect='duckdb')!r} is not allowed in an expression over columns.",
        hint="Allowed: numbers, columns, + - * /, brackets, abs, round, coalesce.",
    )
