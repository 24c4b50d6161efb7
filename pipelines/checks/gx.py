"""Run expectations with Great Expectations on one table: the only module that imports it.

The import costs several CPU-seconds, so callers come here only when there are new events.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.checks.model import CheckResult, Expectation

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

POSITION = "position"


def check_table(
    table: pa.Table, expectations: Sequence[Expectation], *, source: str | None
) -> list[CheckResult]:
    """Return what each expectation found in ``table``, in the order of ``expectations``.

    Columns that no expectation needs never reach pandas. An expectation that could not be evaluated
    fails and says so: it is no pass. A missing column fails every expectation that needs it.
    """
    missing = [name for name in _needed(expectations) if name not in table.schema.names]
    present = [e for e in expectations if not set(e.needs) & set(missing)]
    to_run = [e for e in present if table.num_rows and (e.on_empty or not _empty(table, e))]
    found = {result.check_name: result for result in _validate(table, to_run, source)} if to_run else {}
    results = []
    for expectation in expectations:
        if expectation in present:
            empty = _result(expectation, source, passed=True, rows=table.num_rows)
            results.append(found.get(expectation.name, empty))
        else:
            absent = ", ".join(sorted(set(expectation.needs) & set(missing)))
            results.append(_result(expectation, source, passed=False, note=f"column missing: {absent}"))
    return results


def _needed(expectations: Iterable[Expectation]) -> list[str]:
    return list(dict.fromkeys(name for expectation in expectations for name in expectation.needs))


def _empty(table: pa.Table, expectation: Expectation) -> bool:
    return all(table.column(name).null_count == table.num_rows for name in expectation.needs)


def _result(
    expectation: Expectation,
    source: str | None,
    *,
    passed: bool,
    rows: int = 0,
    failed: int = 0,
    note: str | None = None,
    failing: tuple[int, ...] = (),
) -> CheckResult:
    return CheckResult(
        expectation.name,
        expectation.severity,
        passed,
        expectation.expected,
        rows,
        failed,
        note,
        source,
        failing,
    )


def _validate(table: pa.Table, expectations: Sequence[Expectation], source: str | None) -> list[CheckResult]:
    frame = table.select(_needed(expectations)).to_pandas()
    frame[POSITION] = range(len(frame))
    by_name = {expectation.name: expectation for expectation in expectations}
    found_all: list[Any] = []
    for rows_needed in (True, False):
        group = [e for e in expectations if (e.severity == "row") == rows_needed]
        if group:
            found_all += _run_suite(frame, group, complete=rows_needed).results
    results = []
    for found in found_all:
        expectation = by_name[found.expectation_config.meta["check"]]
        trouble = _exception(found.exception_info)
        if trouble:
            note = f"could not be evaluated: {trouble}"
            results.append(_result(expectation, source, passed=False, rows=len(frame), note=note))
            continue
        details = found.result
        failing = tuple(int(entry[POSITION]) for entry in details.get("unexpected_index_list") or ())
        failed = int(details.get("unexpected_count", 0))
        results.append(
            _result(
                expectation,
                source,
                passed=bool(found.success),
                rows=len(frame),
                failed=failed,
                failing=failing,
            )
        )
    return results


def _run_suite(frame: pd.DataFrame, expectations: Sequence[Expectation], *, complete: bool) -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import; nothing may leave the machine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )
        from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

        # No pages about the data are wanted, and nothing that leaves this process.
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        suite = gx.ExpectationSuite(
            name="events",
            expectations=[
                ExpectationConfiguration(
                    type=e.type, kwargs=dict(e.arguments), meta={"check": e.name}
                ).to_domain_obj()
                for e in expectations
            ],
        )
        batch = (
            context.data_sources.add_pandas("stage")
            .add_dataframe_asset("events")
            .add_batch_definition_whole_dataframe("partition")
        )
        definition = gx.ValidationDefinition(name="partition", data=batch, suite=context.suites.add(suite))
        return context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": frame},
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [POSITION]}
            if complete
            else {"result_format": "BASIC"},
        )


def _exception(info: Any) -> str | None:
    """Return what an expectation raised, without its traceback (which may quote data)."""
    if not isinstance(info, dict):
        return None
    if "raised_exception" in info:
        return (
            str(info.get("exception_message") or "raised").splitlines()[0][:120]
            if info["raised_exception"]
            else None
        )
    for nested in info.values():
        trouble = _exception(nested)
        if trouble:
            return trouble
    return None
