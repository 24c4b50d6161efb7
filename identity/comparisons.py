"""What can be compared: names of comparisons, their levels, and shipped beliefs about each level."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """What one comparison can answer. ``levels[0]`` is the weakest; ``exact`` is the level of equal values.

    ``prior_m``: share of each level among matches, the shipped belief that data then corrects.
    ``prior_related``: the same for two people of one household; None where the field is personal, so that
    two people of one household agree on it no more than strangers do.
    ``tf``: whether the frequency of an equal value adjusts the weight.
    """

    name: str
    levels: tuple[str, ...]
    prior_m: tuple[float, ...]
    prior_related: tuple[float, ...] | None = None
    tf: bool = False
    prior_u: tuple[float, ...] | None = None

    @property
    def exact(self) -> int:
        """The highest level."""
        return len(self.levels) - 1


GIVEN = Comparison(
    "given name",
    ("different", "same initial", "similar", "initial only", "short form", "one letter differs", "same"),
    (0.04, 0.02, 0.03, 0.06, 0.06, 0.07, 0.72),
    tf=True,
)
SURNAME = Comparison(
    "surname",
    (
        "different",
        "sounds alike",
        "one name swapped",
        "part in common",
        "similar",
        "swapped with given name",
        "same",
    ),
    (0.05, 0.01, 0.01, 0.03, 0.07, 0.03, 0.80),
    (0.25, 0.01, 0.01, 0.03, 0.05, 0.01, 0.64),
    tf=True,
)
MIDDLE = Comparison("middle name", ("different", "same initial", "same"), (0.08, 0.22, 0.70))
SUFFIX = Comparison("suffix", ("different", "same"), (0.0005, 0.9995), (0.7, 0.3), prior_u=(0.5, 0.5))
GENDER = Comparison("gender", ("different", "same"), (0.04, 0.96))
BIRTH = Comparison(
    "birth date",
    (
        "different",
        "within ten years",
        "within a year",
        "one part differs",
        "within a month",
        "day and month swapped",
        "one digit differs",
        "same",
    ),
    (0.02, 0.01, 0.02, 0.05, 0.01, 0.02, 0.06, 0.81),
    tf=True,
)
EMAIL = Comparison(
    "e-mail",
    ("different", "alike", "same name part", "similar", "same"),
    (0.28, 0.02, 0.05, 0.08, 0.57),
    (0.82, 0.01, 0.01, 0.01, 0.15),
    tf=True,
)
PHONE = Comparison(
    "phone", ("different", "one digit differs", "same"), (0.22, 0.08, 0.70), (0.59, 0.01, 0.40), tf=True
)
ADDRESS = Comparison(
    "address",
    (
        "different",
        "same region",
        "same area",
        "same city",
        "similar postcode",
        "same postcode",
        "same street",
        "same door",
        "same door and place",
    ),
    (0.12, 0.02, 0.01, 0.03, 0.03, 0.06, 0.03, 0.06, 0.64),
    (0.08, 0.01, 0.01, 0.02, 0.02, 0.06, 0.05, 0.05, 0.70),
    tf=True,
)
COMPANY = Comparison(
    "company",
    ("different", "words in common", "similar", "same"),
    (0.08, 0.12, 0.15, 0.65),
    (0.40, 0.05, 0.05, 0.50),
    tf=True,
)
TEXT = ((0.25, 0.15, 0.60), (0.60, 0.05, 0.35))
IDENTIFIER = ("different", "one sign differs", "same")


def identifier_name(kind: str, namespace: str) -> str:
    """The name of the comparison of one identifier type.

    >>> identifier_name("external_id", "shop"), identifier_name("email", "")
    ('shop (external_id)', 'e-mail')
    """
    plain = {"email": EMAIL.name, "phone": PHONE.name}.get(kind)
    return plain or f"{namespace or kind} ({kind})"


def of_identifier(kind: str, namespace: str) -> Comparison:
    """The comparison of one identifier type; only devices, e-mail and phone are shared in households."""
    if kind in ("email", "phone"):
        return EMAIL if kind == "email" else PHONE
    shared = (0.55, 0.01, 0.44) if kind in _SHARED_DEVICES else None
    return Comparison(identifier_name(kind, namespace), IDENTIFIER, (0.06, 0.04, 0.90), shared)


_SHARED_DEVICES = frozenset({"device", "anonymous_id"})
