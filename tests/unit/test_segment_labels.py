"""Each field of a rule has a short name of its own."""

from __future__ import annotations

from warehouse.segments.fields import known_fields
from warehouse.segments.labels import LABELS


def test_every_field_has_a_label_of_its_own_in_plain_words():
    fields = known_fields()
    for known in (fields.customers, fields.events):
        labels = [field.label for field in known.values()]
        assert set(known) <= set(LABELS)
        assert len(set(labels)) == len(labels)
        assert not [label for label in labels if set(label) & set("_`;:") or len(label) > 40]


def test_a_label_names_the_field_and_not_one_of_its_values():
    customers = known_fields().customers
    assert customers["lifecycle_stage"].label == "Lifecycle stage"
    assert customers["rfm_segment"].label == "RFM segment"
    assert customers["latitude"].label != customers["longitude"].label
