"""Customer mail as RFC 5322 messages: single ``.eml`` files and ``.mbox`` folders.

Names come in several scripts (encoded words), bodies quoted-printable or base64, some with an HTML
part; signatures carry phone numbers. Some messages lack Message-ID or Date, as real ones do.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from quopri import encodestring
from random import Random
from time import asctime, gmtime
from typing import Final

from cdp.demo.households import uuid
from cdp.demo.noise import pick, short_name, written_phone
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import AGENTS, DOMAIN, MESSAGES, SERVICE, SHOP, SUBJECTS
from cdp.demo.when import moments, rfc2822

_SINGLE_FILES: Final = 40
_MAILS_PER_THREAD: Final = 1.92


@dataclass
class _Mail:
    """The parts of a message before it is put together."""

    sender: str
    to: str
    subject: str
    body: str
    time: float
    zone: str
    message_id: str | None
    in_reply_to: str | None = None
    dated: bool = True
    html: bool = False


def encoded(text: str, rng: Random) -> str:
    """Return a header value; text outside ASCII becomes encoded words, in UTF-8 or Latin-1."""
    if text.isascii():
        return f'"{text}"' if "," in text else text
    if rng.random() < 0.2:
        try:
            raw = text.encode("iso-8859-1")
        except UnicodeEncodeError:
            raw = b""
        if raw:
            quoted = "".join(chr(b) if chr(b).isalnum() and b < 128 else f"={b:02X}" for b in raw)
            return f"=?iso-8859-1?Q?{quoted}?="
    pieces = [text[at : at + 12] for at in range(0, len(text), 12)]
    return "\r\n ".join(f"=?UTF-8?B?{b64encode(piece.encode()).decode()}?=" for piece in pieces)


def _display(person: Person, rng: Random) -> str:
    roll = rng.random()
    if roll < 0.08:
        return ""
    if roll < 0.16:
        return f'"{person.surname.latin}, {person.given.latin}"'
    if roll < 0.24:
        return encoded(f"{short_name(person.given, rng)} {person.surname.native}", rng)
    return encoded(person.full_name(latin=rng.random() < 0.2), rng)


def _mailbox(person: Person, email: str, rng: Random) -> str:
    display = _display(person, rng)
    return f"{display} <{email}>" if display else email


def render(mail: _Mail, rng: Random) -> bytes:
    """Put a message together."""
    head = [f"From: {mail.sender}", f"To: {mail.to}", f"Subject: {encoded(mail.subject, rng)}"]
    if mail.dated:
        head.insert(0, f"Date: {rfc2822(mail.time, mail.zone)}")
    if mail.message_id:
        head.append(f"Message-ID: {mail.message_id}")
    if mail.in_reply_to:
        head += [f"In-Reply-To: {mail.in_reply_to}", f"References: {mail.in_reply_to}"]
    head.append("MIME-Version: 1.0")
    if mail.html:
        boundary = f"=_{rng.getrandbits(64):016x}"
        head.append(f'Content-Type: multipart/alternative; boundary="{boundary}"')
        html = "<html><body><p>" + mail.body.replace("\n", "<br>\n") + "</p></body></html>"
        parts = [_part(mail.body, "plain", rng), _part(html, "html", rng)]
        inner = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
        return ("\r\n".join(head) + "\r\n\r\n" + inner).encode()
    return ("\r\n".join(head) + "\r\n" + _part(mail.body, "plain", rng) + "\r\n").encode()


def _part(text: str, subtype: str, rng: Random) -> str:
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: "
    if text.isascii():
        return f"{head}7bit\r\n\r\n" + text.replace("\n", "\r\n")
    if rng.random() < 0.5:
        return f"{head}quoted-printable\r\n\r\n" + encodestring(text.encode()).decode().replace("\n", "\r\n")
    coded = b64encode(text.encode()).decode()
    return f"{head}base64\r\n\r\n" + "\r\n".join(coded[at : at + 76] for at in range(0, len(coded), 76))


def _mbox(items: list[bytes]) -> bytes:
    return b"\n".join(items)


def _in_mbox(message: bytes, time: float) -> bytes:
    """Return a message as it stands in an mbox: line ends of Unix, ``From `` lines quoted."""
    body = message.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
    return f"From MAILER-DAEMON {asctime(gmtime(time))}\n".encode() + body


class _Mailroom:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.spool = Spool(channel, "service-{date}.mbox", 7, _mbox)
        self.single = 0

    def write(self) -> None:
        people = self.channel.world.using("mail")
        threads = max(1, round(self.channel.target / _MAILS_PER_THREAD)) if people else 0
        for start in moments(self.channel.world, threads, self.rng, tail=180_000.0):
            self.spool.flush(start - 1)
            self._thread(pick(self.rng, people), start)
        self.spool.close()
        self._noise()

    def _thread(self, person: Person, start: float) -> None:
        rng = self.rng
        email = person.work_email or person.email_at(start)
        if email is None:
            return
        self.channel.seen(email, person)
        subject = pick(rng, SUBJECTS[person.country.language])
        first = self._inbound(person, email, subject, start)
        self._file(first, "received")
        if rng.random() < 0.62:
            answer = self._outbound(person, email, subject, first, start + 600 + rng.random() * 50_000)
            self._file(answer, "sent")
            if rng.random() < 0.5:
                again = self._inbound(
                    person, email, f"Re: {subject}", answer.time + 900 + rng.random() * 50_000
                )
                again.in_reply_to = answer.message_id
                self._file(again, "received")

    def _inbound(self, person: Person, email: str, subject: str, time: float) -> _Mail:
        rng = self.rng
        signature = person.full_name()
        if rng.random() < 0.45:
            signature += f"\n{written_phone(person.mobile, person.country.code, rng)}"
        body = f"{pick(rng, MESSAGES[person.country.language])}\n\n-- \n{signature}\n"
        if rng.random() < 0.05:
            body = f"From what I read the lamp should be here by now.\n{body}"
        domain = email.partition("@")[2]
        return _Mail(
            sender=_mailbox(person, email, rng),
            to=f"{encoded(SHOP, rng)} <{SERVICE}>" if rng.random() < 0.6 else SERVICE,
            subject=subject,
            body=body,
            time=time,
            zone=person.country.timezone,
            message_id=f"<{uuid(rng)}@{domain}>" if rng.random() < 0.97 else None,
            dated=rng.random() < 0.985,
            html=rng.random() < 0.3,
        )

    def _outbound(self, person: Person, email: str, subject: str, first: _Mail, time: float) -> _Mail:
        rng = self.rng
        agent = pick(rng, AGENTS)
        return _Mail(
            sender=f"{encoded(f'{agent.name}, {SHOP}', rng)} <{SERVICE}>",
            to=_mailbox(person, email, rng),
            subject=f"Re: {subject}",
            body=f"Dear {person.full_name()},\n\nthank you for writing. We look after it.\n\n{agent.name}\n",
            time=time,
            zone="Europe/London",
            message_id=f"<{uuid(rng)}@{DOMAIN}>",
            in_reply_to=first.message_id,
        )

    def _file(self, mail: _Mail, kind: str) -> None:
        message = render(mail, self.rng)
        self.channel.tally.count(kind)
        if self.single < _SINGLE_FILES:
            self.single += 1
            day = int((mail.time - self.channel.world.start) // 86_400)
            self.channel.write(f"{self.channel.date(day)}-{self.single:03d}.eml", message)
        else:
            self.spool.add(mail.time, _in_mbox(message, mail.time))

    def _noise(self) -> None:
        """Two things that are no mail: random bytes with the right name, and nothing at all."""
        last = self.channel.date(self.channel.world.days - 1)
        self.channel.write(f"{last}-noise.eml", bytes(range(128, 256)) * 8)
        self.channel.tally.reject("no mail")
        self.channel.write(f"{last}-empty.eml", b"")


def write(channel: Channel) -> None:
    """Write the source ``mail``."""
    _Mailroom(channel).write()
