"""Loading `cdp.yaml`: text in, frozen settings out, or one error that names every problem and its line."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path as FilePath

from pydantic import ValidationError

from cdp.errors import ConfigError
from cdp.settings import rules
from cdp.settings.document import Document, Path, Problem, read
from cdp.settings.model import Settings
from cdp.settings.problems import problems

FILE = "cdp.yaml"
MOST_SHOWN = 12


def load(workspace: FilePath, connectors: Collection[str] | None = None) -> Settings:
    """Return the settings of a workspace; ``connectors`` are the names that a source may use (None: any).

    Raises `cdp.errors.ConfigError` where the file is missing or wrong.
    """
    file = workspace / FILE
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no {FILE} in {workspace}.",
            hint="Go to a workspace, name one with -w, or make one: cdp init DIR",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
    return parse(text, connectors, file=str(file), folder=workspace)


def parse(
    text: str,
    connectors: Collection[str] | None = None,
    *,
    file: str = FILE,
    folder: FilePath | None = None,
) -> Settings:
    """Return the settings of a YAML text; see `load`. Without ``folder`` no file that they name is looked for.

    >>> settings = parse('''
    ... version: 1
    ... workspace: {name: shop, region: GB}
    ... sources: {web: {connector: segment}}
    ... ''', {"segment"})
    >>> settings.sources["web"].region, settings.sources["web"].paths
    ('GB', ('inbox/web/**/*',))
    """
    document = read(text, file)
    found = [*document.problems, *rules.variables(document.data), *rules.reserved(document.data)]
    try:
        settings = Settings.model_validate(document.data)
    except ValidationError as error:
        _raise([*found, *problems(error)], document, file)
        raise  # not reached: pydantic names at least one problem
    _raise([*found, *rules.check(settings, connectors, folder)], document, file)
    return settings


def _raise(problems: Iterable[Problem], document: Document, file: str) -> None:
    """Raise one error that names all problems, in the order of their lines."""
    found = sorted(problems, key=document.line)
    if not found:
        return
    lines = [_line(problem, document, file) for problem in found[:MOST_SHOWN]]
    if len(found) > MOST_SHOWN:
        lines.append(f"... and {len(found) - MOST_SHOWN} more.")
    raise ConfigError("\n".join(lines), hint="Check again with: cdp config check")


def _line(problem: Problem, document: Document, file: str) -> str:
    where = f"{file}, line {document.line(problem)}"
    path = document.within(problem.path)
    key = f" {_dotted(path)}:" if path else ""
    hint = f" {problem.hint}" if problem.hint else ""
    return f"{where}:{key} {problem.message}.{hint}"


def _dotted(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
