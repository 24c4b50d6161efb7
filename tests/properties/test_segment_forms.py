"""The form of the builder loses nothing: a rule becomes a form, and the form the same rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.test_segments import rules
from warehouse.pages.segment_form import (
    act,
    draft_of,
    empty,
    find,
    from_items,
    is_complete,
    mistakes,
    numbered,
    rule_of,
)
from warehouse.segments.fields import known_fields
from warehouse.segments.parse import parse
from warehouse.segments.tree import All, AnyOf, Not

FIELDS = known_fields()


def plain(node):
    """A rule as the form writes it: ``not`` of a single condition is none of one."""
    if isinstance(node, All | AnyOf):
        return type(node)(tuple(map(plain, node.parts)))
    if not isinstance(node, Not):
        return node
    inner = node.part
    is_group = isinstance(inner, All | AnyOf) and inner.parts
    return Not(plain(inner) if is_group else AnyOf((plain(inner),)))


def items(draft):
    """What a browser sends of a form."""
    yield f"{draft.key}.kind", draft.kind
    for name, texts in draft.values.items():
        for text in texts:
            yield f"{draft.key}.{name}", text
    for part in draft.parts:
        yield from items(part)


def is_writable(node):
    """Groups within the rule that are empty cannot be left in a form; at its root one may."""
    parts = node.parts if isinstance(node, All | AnyOf) else (node.part,) if isinstance(node, Not) else ()
    return all(part != All(()) and is_writable(part) for part in parts)


@given(rules)
def test_a_rule_survives_the_form(rule):
    node = parse(rule, FIELDS)
    draft = from_items(items(draft_of(node)))
    written = rule_of(draft, FIELDS)
    if not is_writable(node):
        return
    assert is_complete(draft)
    wanted = plain(node)
    is_group = isinstance(wanted, All | AnyOf | Not)
    assert parse(written, FIELDS) == (wanted if is_group else All((wanted,)))


@given(rules, st.sampled_from(["group", "attribute", "behaviour", "segment", "place"]))
def test_what_is_added_can_be_removed(rule, kind):
    node = parse(rule, FIELDS)
    draft = draft_of(node)
    before = list(items(draft))
    act(draft, f"add-{kind}:0")
    added = draft.parts[-1]
    assert (added.kind, find(draft, added.key)) == (kind, added)
    act(draft, f"remove:{added.key}")
    assert list(items(numbered(draft))) == before


@given(
    st.lists(
        st.tuples(st.text(alphabet="0123-.kindfeloatgruvm \x00é", max_size=12), st.text(max_size=8)),
        max_size=20,
    )
)
def test_any_form_is_read(pairs):
    rule_of(from_items(pairs), FIELDS)


def test_a_form_that_is_read_twice_says_each_mistake_once():
    draft = numbered(empty())
    draft = act(act(draft, "add-behaviour:0"), "add-detail:0-0")
    for _ in range(2):
        rule_of(draft, FIELDS)
        assert list(mistakes(draft)) == ["Choose what they did.", "Choose what to look at."]
