"""Amounts of Stripe's, which are in the smallest unit of their currency, in the currency itself.

Source: https://docs.stripe.com/currencies (*Zero-decimal currencies*, *Three-decimal currencies*, *Special cases*):
of ISK and UGX a króna or shilling is 100, though neither has a smaller unit any more.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_NO_DECIMALS: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE_DECIMALS: Final = frozenset("BHD JOD KWD OMR TND".split())
NOT_A_NUMBER: Final = "not a number"
"""What an amount becomes that is none; its envelope is quarantined as ``bad_amount``."""


def decimals(currency: str) -> int:
    """Return how many decimals a currency has at Stripe.

    >>> decimals("eur"), decimals("jpy"), decimals("kwd"), decimals("isk")
    (2, 0, 3, 2)
    """
    code = currency.upper()
    return 0 if code in _NO_DECIMALS else 3 if code in _THREE_DECIMALS else 2


def in_currency(amount: object, currency: object) -> str | None:
    """Return an amount as text; None where there is none.

    >>> in_currency(1099, "usd"), in_currency(500, "jpy"), in_currency(5120, "kwd"), in_currency(-2000, "eur")
    ('10.99', '500', '5.120', '-20.00')
    >>> in_currency("10.00", "usd"), in_currency(10.5, "usd"), in_currency(None, "usd")
    ('not a number', 'not a number', None)
    """
    if amount is None or amount == "":
        return None
    if isinstance(amount, bool) or not isinstance(amount, int) or not isinstance(currency, str):
        return NOT_A_NUMBER
    return format(Decimal(amount).scaleb(-decimals(currency)), "f")
