"""Who may send what: write keys of tracking sources, and the hooks of sources that services deliver to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdp.errors import UsageError
from cdp.settings import Settings, SourceSettings
from connectors.collector.signatures import scheme_for
from connectors.collector.webhooks import Keys, Scheme

_TRACKING: Final = ("segment", "rudderstack")


@dataclass(frozen=True)
class Hook:
    """Where a service delivers: ``/hooks/<source>``."""

    source: str
    scheme: Scheme
    keys: Keys

    @property
    def asks(self) -> bool:
        """Whether verifying may ask the service itself, over the network."""
        return self.keys.settings.fetch_certificates or self.keys.settings.confirm_subscriptions


@dataclass(frozen=True)
class Endpoints:
    """``keys``: write key -> source. ``hooks``: source -> hook."""

    keys: Mapping[str, str]
    hooks: Mapping[str, Hook]

    @property
    def sources(self) -> list[str]:
        """Every source that can be sent to, by name."""
        return sorted({*self.keys.values(), *self.hooks})


def endpoints(settings: Settings, workspace: Path, environment: Mapping[str, str]) -> Endpoints:
    """Return what ``cdp.yaml`` opens to the world, with the secrets of the environment.

    Raises :class:`UsageError` where a variable that it names is not set, where two sources share a write
    key, and where nothing at all could be sent.
    """
    keys: dict[str, str] = {}
    hooks: dict[str, Hook] = {}
    for name, source in settings.sources.items():
        if not source.enabled:
            continue
        if source.write_key_env is not None:
            key = _secret(environment, source.write_key_env, f"sources.{name}.write_key_env")
            _check_tracking(source, key, keys)
            keys[key] = name
        hook = _hook(source, workspace, environment)
        if hook is not None:
            hooks[name] = hook
    if not keys and not hooks:
        raise UsageError(
            "No source of this workspace can be sent to.",
            hint="Give one a write_key_env (tracking clients) or a secret_env (webhooks) in cdp.yaml.",
        )
    return Endpoints(keys, hooks)


def _check_tracking(source: SourceSettings, key: str, known: Mapping[str, str]) -> None:
    if source.connector not in _TRACKING:
        raise UsageError(
            f"sources.{source.name} has a write key, and the connector {source.connector!r}.",
            hint=f"Write keys are for tracking clients: {' or '.join(_TRACKING)}; webhooks have a secret_env.",
        )
    if key in known:
        raise UsageError(
            f"The sources {known[key]!r} and {source.name!r} have the same write key.",
            hint="A write key says which source an event belongs to: give each its own.",
        )


def _hook(source: SourceSettings, workspace: Path, environment: Mapping[str, str]) -> Hook | None:
    scheme, signature = scheme_for(source), source.signature
    asked_for = (
        source.secret_env or signature.scheme or signature.certificates or signature.fetch_certificates
    )
    if scheme is None or not asked_for:
        if source.secret_env:
            raise UsageError(
                f"sources.{source.name} has a secret_env, and the connector {source.connector!r} says not how to verify.",
                hint="Add signature: {scheme: hmac, header: ...}; docs/how-to/add-a-webhook-source.md shows how.",
            )
        return None
    if scheme.name == "sns" and not signature.topics:
        raise UsageError(
            f"sources.{source.name} would take whatever Amazon signs, and it signs for everybody.",
            hint="Name your topics: signature: {topics: ['arn:aws:sns:...']}.",
        )
    secrets = tuple(
        _secret(environment, name, f"sources.{source.name}.secret_env") for name in source.secret_env
    )
    if scheme.needs_secret and not secrets:
        raise UsageError(
            f"sources.{source.name} is verified by {scheme.name}, and has no secret.",
            hint="Name the environment variable that holds it: secret_env: CDP_..._SECRET.",
        )
    token = source.signature.verify_token_env
    verify_token = (
        _secret(environment, token, f"sources.{source.name}.signature.verify_token_env") if token else None
    )
    return Hook(source.name, scheme, Keys(secrets, source.signature, verify_token, workspace))


def _secret(environment: Mapping[str, str], variable: str, where: str) -> str:
    value = environment.get(variable, "").strip()
    if not value:
        raise UsageError(
            f"{where} names {variable}, which is not set.", hint=f"Set it: export {variable}=..."
        )
    return value
