"""Mastodon statuses that mention the shop, and the shop's answers, one a line as the API gives them."""

from __future__ import annotations

from html import escape
from typing import Any, Final

import orjson

from cdp.demo.noise import pick
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import MASTODON, MESSAGES, SHOP
from cdp.demo.when import iso, moments

Entity = dict[str, Any]

_HOST: Final = "social.shop.example"
_PER_TALK: Final = 1.43


def _account(number: int, handle: str, name: str) -> Entity:
    user, _, host = handle.partition("@")
    local = host == _HOST
    return {
        "id": str(110_000_000_000_000_000 + number),
        "username": user,
        "acct": user if local else handle,
        "display_name": name,
        "locked": False,
        "bot": False,
        "discoverable": True,
        "group": False,
        "created_at": "2022-11-05T00:00:00.000Z",
        "note": "",
        "url": f"https://{host}/@{user}",
        "avatar": f"https://{host}/avatars/original/missing.png",
        "followers_count": number % 700,
        "following_count": number % 300,
        "statuses_count": number % 2000,
        "emojis": [],
        "fields": [],
    }


_OURS: Final = _account(1, MASTODON, SHOP)


def _mention(account: Entity) -> Entity:
    return {key: account[key] for key in ("id", "username", "url", "acct")}


class _Mastodon:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.spool = Spool(channel, "mentions-{date}.ndjson", 7)
        self.made = 0

    def write(self) -> None:
        self._damage()
        people = self.channel.world.using("mastodon")
        talks = max(1, round(self.channel.target / _PER_TALK)) if people else 0
        for start in moments(self.channel.world, talks, self.rng, tail=20_000.0):
            self.spool.flush(start - 1)
            self._talk(pick(self.rng, people), start)
        self.spool.close()

    def _talk(self, person: Person, start: float) -> None:
        rng = self.rng
        if person.mastodon is None:
            return
        self.channel.seen(person.mastodon, person)
        name = person.full_name() if person.index % 3 else person.given.native
        theirs = _account(2 + person.index, person.mastodon, name)
        text = pick(rng, MESSAGES[person.country.language])
        status = self._status(theirs, _OURS, text, start, None, person.country.locale[:2])
        self._emit(status, start, "mention")
        if rng.random() < 0.05:
            later = start + 1200
            edited = status | {"edited_at": iso(later), "content": status["content"] + "<p>(edit)</p>"}
            self._emit(edited, later, "edited mention")
            self.channel.tally.revisions += 1
        if rng.random() < 0.35:
            answer = self._status(_OURS, theirs, "Thank you, we look after it!", start + 4000, status, "en")
            self._emit(answer, start + 4000, "answer")

    def _status(
        self, author: Entity, reader: Entity, text: str, time: float, parent: Entity | None, language: str
    ) -> Entity:
        self.made += 1
        number = str(int(time * 1000) * 65_536 + self.made % 65_536)
        host = str(author["url"]).split("/")[2]
        link = f'<a href="{reader["url"]}" class="u-url mention">@{reader["username"]}</a>'
        return {
            "id": number,
            "created_at": iso(time),
            "in_reply_to_id": parent["id"] if parent else None,
            "in_reply_to_account_id": parent["account"]["id"] if parent else None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": "public" if self.rng.random() < 0.85 else "direct",
            "language": language,
            "uri": f"https://{host}/users/{author['username']}/statuses/{number}",
            "url": f"https://{host}/@{author['username']}/{number}",
            "replies_count": 0,
            "reblogs_count": int(self.rng.random() * 5),
            "favourites_count": int(self.rng.random() * 20),
            "edited_at": None,
            "content": f'<p><span class="h-card">{link}</span> {escape(text)}</p>',
            "reblog": None,
            "account": author,
            "media_attachments": [],
            "mentions": [_mention(reader)],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": None,
        }

    def _emit(self, status: Entity, time: float, kind: str) -> None:
        line = orjson.dumps(status)
        self.spool.add(time, line)
        self.channel.tally.count(kind)
        if self.rng.random() < 0.01:
            self.spool.add(time + 300, line)
            self.channel.tally.count(kind)
            self.channel.tally.duplicates += 1

    def _damage(self) -> None:
        """The API's answer to a bad token, saved as if it were a status."""
        self.spool.add(self.channel.world.start + 3600.0, b'{"error":"The access token is invalid"}')
        self.channel.tally.reject("error body")


def write(channel: Channel) -> None:
    """Write the source ``mastodon``."""
    _Mastodon(channel).write()
