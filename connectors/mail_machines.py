"""Opens and clicks that no person made: what the mail service says of them, and what their user agent tells.

Apple's Mail Privacy Protection fetches every image beforehand, under the bare name ``Mozilla/5.0`` that no
browser uses: such an open has the outcome ``machine``, like one that the service itself calls so. The
proxies of Gmail and Yahoo fetch when somebody looks, so they are no machines in this sense. Scanners and
crawlers that say what they are have the outcome ``bot`` (``connectors.bots``).
"""

from __future__ import annotations

from connectors.bots import bot_outcome


def is_machine(user_agent: str, said: str = "false") -> str:
    """Return SQL that is true for the fetches of a machine; ``said`` (SQL) is the service's own word.

    >>> is_machine("agent")
    "(coalesce(false, false) OR coalesce(trim(agent) = 'Mozilla/5.0', false))"
    """
    return f"(coalesce({said}, false) OR coalesce(trim({user_agent}) = 'Mozilla/5.0', false))"


def machine_outcome(user_agent: str, said: str = "false") -> str:
    """Return SQL of the outcome of an open or a click: ``machine``, ``bot``, or NULL for a person's."""
    return f"CASE WHEN {is_machine(user_agent, said)} THEN 'machine' ELSE {bot_outcome(user_agent)} END"
