"""Changes that Meta reports of pages and profiles: comments, mentions, reactions, posts, leads.

They stand in ``entry[0].changes[0]`` of a body (see :mod:`connectors.meta_items`). ``FIELDS`` name what
the expressions of this module read; a mapping takes them in among its own.
"""

from __future__ import annotations

ENTRY = "$.entry[0]"
VALUE = f"{ENTRY}.changes[0].value"

FIELDS = {
    "field": f"{ENTRY}.changes[0].field",
    "item": f"{VALUE}.item",
    "verb": f"{VALUE}.verb",
    "author": f"{VALUE}.from.id",
    "author_full": f"{VALUE}.from.name",
    "comment": f"{VALUE}.text",
    "comment_message": f"{VALUE}.message",
    "media": f"{VALUE}.media.id",
    "media_id": f"{VALUE}.media_id",
    "post_id": f"{VALUE}.post_id",
    "parent": f"{VALUE}.parent_id",
    "created": f"{VALUE}.created_time",
}

# A word of the vocabulary, or NULL where a change is no contact with a person.
TYPE = """CASE field
    WHEN 'comments' THEN 'comment_posted' WHEN 'live_comments' THEN 'comment_posted'
    WHEN 'mentions' THEN 'post_mentioned' WHEN 'mention' THEN 'post_mentioned'
    WHEN 'leadgen' THEN 'lead_submitted'
    WHEN 'feed' THEN CASE WHEN verb IN ('add', 'edited') THEN CASE item WHEN 'comment' THEN 'comment_posted'
      WHEN 'reaction' THEN 'post_liked' WHEN 'like' THEN 'post_liked' WHEN 'share' THEN 'post_shared'
      WHEN 'post' THEN 'post_published' END END END"""

SUBJECT = "coalesce(comment, comment_message)"
REFERENCE = "coalesce(media, media_id, post_id, parent)"
