"""What can be compared: names of comparisons, their levels, and shipped beliefs about each level."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Comparison:
    """What one comparison can answer. ``levels[0]`` is the weakest; ``exact`` is the level of equal values.

    ``match``, ``unrelated``: shipped beliefs, the share of each level among matches and among strangers;
    data correct them. ``related``: the same for two people of one household; None where the field is
    personal, so that two people of one household agree on it no more than strangers do.
    ``echo``: the share of two people of one household who bear the same value of a personal field: children
    are named after their parents, and twins share a birth date.
    ``slip``: most that the level below ``exact`` may have among matches, as a share of ``exact``: slips of the pen
    are rare. Numbers that are handed out one after the other differ in one sign between people of one household.
    ``tf``: whether the frequency of an equal value adjusts the weight.
    """

    name: str
    levels: tuple[str, ...]
    match: tuple[float, ...]
    unrelated: tuple[float, ...]
    related: tuple[float, ...] | None = None
    tf: bool = False
    echo: float = 0.0
    slip: float | None = None

    @property
    def shared(self) -> bool:
        """Whether two people of one household may agree on the field more often than strangers do."""
        return self.related is not None or self.echo > 0

    @property
    def exact(self) -> int:
        """The highest level."""
        return len(self.levels) - 1


GIVEN = Comparison(
    "given name",
    ("different", "same initial", "similar", "initial only", "short form", "one letter differs", "same"),
    match=(0.04, 0.02, 0.03, 0.06, 0.06, 0.07, 0.72),
    unrelated=(0.905, 0.055, 0.008, 0.010, 0.008, 0.004, 0.010),
    tf=True,
    echo=0.03,
)
SURNAME = Comparison(
    "surname",
    (
        "different",
        "sounds alike",
        "one name swapped",
        "part in common",
        "similar",
        "one letter differs",
        "swapped with given name",
        "same",
    ),
    match=(0.05, 0.01, 0.01, 0.03, 0.03, 0.05, 0.03, 0.79),
    unrelated=(0.9842, 0.003, 0.002, 0.001, 0.003, 0.0015, 0.0003, 0.005),
    related=(0.25, 0.01, 0.01, 0.03, 0.02, 0.03, 0.01, 0.64),
    tf=True,
)
MIDDLE = Comparison(
    "middle name",
    ("different", "same initial", "initial only", "similar", "same"),
    match=(0.07, 0.02, 0.22, 0.05, 0.64),
    unrelated=(0.92, 0.05, 0.02, 0.002, 0.008),
)
SUFFIX = Comparison("suffix", ("different", "same"), (0.0005, 0.9995), (0.5, 0.5), (0.7, 0.3))
GENDER = Comparison("gender", ("different", "same"), (0.04, 0.96), (0.5, 0.5))
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
    match=(0.02, 0.01, 0.02, 0.05, 0.01, 0.02, 0.06, 0.81),
    unrelated=(0.70, 0.26, 0.027, 0.006, 0.00392, 0.00003, 0.003, 0.00005),
    tf=True,
    echo=0.01,
)
EMAIL = Comparison(
    "e-mail",
    ("different", "alike", "same name part", "similar", "same"),
    match=(0.28, 0.02, 0.05, 0.08, 0.57),
    unrelated=(0.99955, 0.0003, 0.0001, 0.00004, 0.00001),
    related=(0.82, 0.01, 0.01, 0.01, 0.15),
    tf=True,
)
PHONE = Comparison(
    "phone",
    ("different", "one digit differs", "same"),
    match=(0.22, 0.08, 0.70),
    unrelated=(0.99996, 0.00003, 0.00001),
    related=(0.59, 0.01, 0.40),
    tf=True,
    slip=0.15,
)
ADDRESS = Comparison(
    "address",
    (
        "different",
        "same region",
        "same area",
        "other street, same city",
        "same city",
        "other street, same postcode",
        "similar postcode",
        "same postcode, other city",
        "similar postcode, same city",
        "same postcode",
        "same street, other number",
        "same street",
        "same door",
        "same door and place",
    ),
    match=(0.10, 0.01, 0.01, 0.02, 0.03, 0.02, 0.01, 0.01, 0.02, 0.05, 0.03, 0.02, 0.05, 0.62),
    unrelated=(
        0.8526, 0.10, 0.02, 0.008, 0.007, 0.0015, 0.004, 0.001, 0.0015, 0.003, 0.0007, 0.0003, 0.0002, 0.0002,
    ),
    related=(0.06, 0.01, 0.01, 0.01, 0.02, 0.01, 0.01, 0.01, 0.02, 0.06, 0.02, 0.03, 0.05, 0.68),
    tf=True,
)  # fmt: skip
PLACE = Comparison(
    "place",
    (
        "different",
        "same region",
        "same area",
        "same city",
        "similar postcode",
        "same postcode, other city",
        "similar postcode, same city",
        "same",
    ),
    match=(0.14, 0.01, 0.01, 0.03, 0.02, 0.03, 0.06, 0.70),
    unrelated=(0.84, 0.10, 0.02, 0.015, 0.008, 0.003, 0.004, 0.010),
    related=(0.10, 0.01, 0.01, 0.02, 0.01, 0.03, 0.05, 0.77),
    tf=True,
)
COMPANY = Comparison(
    "company",
    (
        "different",
        "common words in common",
        "other number",
        "words in common",
        "one inside the other",
        "similar",
        "same",
    ),
    match=(0.03, 0.03, 0.01, 0.09, 0.13, 0.13, 0.58),
    unrelated=(0.966, 0.02, 0.002, 0.006, 0.002, 0.001, 0.003),
    related=(0.40, 0.05, 0.03, 0.10, 0.06, 0.04, 0.32),
    tf=True,
)
# Two branches of one organisation share its name and often its telephone, but not the address.
BRANCH_NAME = replace(COMPANY, related=(0.06, 0.03, 0.15, 0.12, 0.12, 0.08, 0.44))
BRANCH_PLACE = replace(PLACE, related=None)
# Where a name is all there is, its levels cannot be learned, and these beliefs stay: rounded from labelled files of
# restaurants, nurseries and shops, but more cautious where only words are in common or a number differs. How
# often a name repeats tells then how many records its owner has, not how common it is.
LONE_NAME = replace(
    BRANCH_NAME,
    match=(0.08, 0.04, 0.001, 0.03, 0.13, 0.13, 0.589),
    unrelated=(0.99204, 0.006, 0.0002, 0.0015, 0.00019, 0.00004, 0.00003),
    tf=False,
)
BRANCH_ADDRESS = replace(
    ADDRESS,
    match=(0.06, 0.01, 0.01, 0.02, 0.03, 0.01, 0.01, 0.01, 0.02, 0.05, 0.02, 0.02, 0.07, 0.66),
    unrelated=(
        0.7926, 0.10, 0.02, 0.055, 0.007, 0.0145, 0.004, 0.001, 0.0015, 0.003, 0.0007, 0.0003, 0.0002, 0.0002,
    ),
    related=None,
)  # fmt: skip
RECORD_TYPE = Comparison("record type", ("different", "same"), (0.001, 0.999), (0.4, 0.6), (0.05, 0.95))


def of_text(name: str) -> Comparison:
    """The comparison of a column without a role of its own."""
    return Comparison(
        name,
        ("different", "similar", "same"),
        (0.25, 0.15, 0.60),
        (0.90, 0.03, 0.07),
        (0.60, 0.05, 0.35),
        tf=True,
    )


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
    levels = ("different", "one sign differs", "same")
    strangers = (0.99994, 0.00005, 0.00001)
    name = identifier_name(kind, namespace)
    return Comparison(name, levels, (0.06, 0.04, 0.90), strangers, shared, slip=_SLIP)


_SLIP = 0.06
_SHARED_DEVICES = frozenset({"device", "anonymous_id"})
