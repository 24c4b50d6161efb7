"""The job in Dagster: what `cdp run` records, what `dg` loads and launches, what starts runs by itself."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from cdp import durable
from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.pipelines_tools import (
    ROOT,
    add_files,
    call,
    differences,
    ledger_rows,
    make_shop,
    rows,
    run,
    settings_of,
)

TODAY = datetime.now(UTC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after one run by Dagster. Tests that change it take a copy."""
    workspace = make_shop(tmp_path_factory.mktemp("dagster") / "shop")
    run(workspace, engine="dagster", now=TODAY)
    return workspace


@pytest.fixture
def own(shop: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop, tmp_path / "shop"))


def instance_of(workspace: Path):
    from pipelines.instance import open_instance

    return open_instance(workspace)


def materializations(workspace: Path, *key: str):
    with instance_of(workspace) as instance:
        found = instance.fetch_materializations(dg.AssetKey(list(key)), limit=20)
        return [record.asset_materialization for record in found.records]


def metadata(workspace: Path, *key: str) -> dict:
    newest = materializations(workspace, *key)[0]
    return {name: value.value for name, value in newest.metadata.items()}


class TestRecord:
    def test_both_engines_publish_the_same(self, shop: Path, tmp_path: Path) -> None:
        plain = make_shop(tmp_path / "plain")
        run(plain, now=TODAY)  # stages are as of the day
        assert differences(shop, plain) == []

    def test_every_asset_says_how_many_rows_and_where(self, shop: Path) -> None:
        assert metadata(shop, "raw", "web")["dagster/row_count"] == 14
        events = metadata(shop, "events", "orders")
        assert events["dagster/row_count"] == 4
        assert Path(events["folder"]).is_dir()
        assert metadata(shop, "identity")["customers"] == 3
        assert Path(metadata(shop, "release")["database"]).is_file()
        assert Path(metadata(shop, "exports")["feed"]).is_dir()

    def test_landing_is_partitioned_by_day(self, shop: Path) -> None:
        assert {one.partition for one in materializations(shop, "raw", "web")} == {TODAY.date().isoformat()}

    def test_samples_show_nobody(self, shop: Path) -> None:
        sample = metadata(shop, "events", "web")["sample (masked)"]
        text = json.dumps([record.data for record in sample.records])
        assert "page" in text or "product" in text
        assert not any(word in text for word in ("device", "u1", "Archer"))

    def test_checks_are_kept_in_dagster_and_in_the_release(self, shop: Path) -> None:
        keys = [dg.AssetCheckKey(dg.AssetKey(["events", "web"]), name) for name in ("structure", "rows")]
        keys.append(dg.AssetCheckKey(dg.AssetKey("identity"), "records_have_one_customer"))
        with instance_of(shop) as instance:
            for key in keys:
                (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
                assert record.status.value == "SUCCEEDED", key
        checked = {name for (name,) in rows(shop, "SELECT check_name FROM quality WHERE passed")}
        assert {"events_unique", "currency_known", "envelopes_add_up", "records_have_one_customer"} <= checked

    def test_the_run_carries_the_id_of_the_ledger_s_run(self, shop: Path) -> None:
        ((run_id,),) = ledger_rows(shop, "SELECT run_id FROM runs")
        with instance_of(shop) as instance:
            (recorded,) = instance.get_runs()
        assert (recorded.tags["cdp/run"], recorded.status.value) == (run_id, "SUCCESS")

    def test_nothing_new_is_no_run_of_dagster(self, own: Path) -> None:
        assert run(own, engine="dagster", now=TODAY).nothing_new
        with instance_of(own) as instance:
            assert len(instance.get_runs()) == 1

    def test_only_what_is_concerned_is_materialised(self, own: Path) -> None:
        add_files(own, {"inbox/web/3.jsonl": [call(40, 0)]})
        run(own, engine="dagster", now=TODAY)
        assert len(materializations(own, "raw", "web")) == 2
        assert len(materializations(own, "raw", "orders")) == 1
        assert len(materializations(own, "release")) == 2

    def test_an_error_of_a_stage_is_the_error_of_the_run(self, own: Path) -> None:
        from cdp.errors import CorruptError

        next((own / "landing/raw/source=web").rglob("*.parquet")).unlink()
        with pytest.raises(CorruptError, match="cannot be read"):
            run(own, engine="dagster", now=TODAY, full=True)
        with instance_of(own) as instance:
            newest = instance.get_runs(limit=1)[0]
        assert newest.status.value == "FAILURE"
        assert ledger_rows(own, "SELECT status FROM runs ORDER BY rowid DESC LIMIT 1") == [("failed",)]

    @pytest.mark.parametrize(("number", "tries"), [(errno.EIO, 2), (errno.ENOSPC, 1)])
    def test_trouble_of_the_machine_is_tried_again_unless_that_cannot_help(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, tries: int
    ) -> None:
        from pipelines import assets

        monkeypatch.setattr(assets, "RETRY_SECONDS", 0)
        workspace = make_shop(tmp_path / "shop")
        failures = []

        def fail_once(step: str) -> None:
            if step.startswith("write 000001-") and not failures:
                failures.append(step)
                raise OSError(number, os.strerror(number))

        with durable.crash_hook(fail_once):
            if tries == 1:
                with pytest.raises(OSError, match="No space left"):
                    run(workspace, engine="dagster", now=TODAY)
            else:
                assert run(workspace, engine="dagster", now=TODAY).succeeded
        assert len(failures) == 1
        statuses = ledger_rows(workspace, "SELECT status FROM runs")
        assert statuses == [("failed" if tries == 1 else "succeeded",)]

    def test_runs_whose_process_is_gone_are_marked_failed(self, own: Path) -> None:
        from pipelines.instance import PROCESS_TAG, mark_dead_runs, this_process

        with instance_of(own) as instance:
            dead, alive = (
                instance.create_run(
                    job_name="cdp",
                    run_id=None,
                    run_config={},
                    status=dg.DagsterRunStatus.STARTED,
                    tags={PROCESS_TAG: process},
                    root_run_id=None,
                    parent_run_id=None,
                    step_keys_to_execute=None,
                    execution_plan_snapshot=None,
                    job_snapshot=None,
                    parent_job_snapshot=None,
                    asset_selection=None,
                    asset_check_selection=None,
                    resolved_op_selection=None,
                    op_selection=None,
                    remote_job_origin=None,
                    job_code_origin=None,
                    asset_graph=None,
                )
                for process in ("1@0", this_process())
            )
            assert mark_dead_runs(instance) == [dead.run_id]
            assert instance.get_run_by_id(dead.run_id).status.value == "FAILURE"
            assert instance.get_run_by_id(alive.run_id).status.value == "STARTED"


def collect(workspace: Path, calls: list[str]) -> None:
    """Have calls collected over HTTP, and landed."""
    from connectors.collector.seal import Sealer
    from connectors.collector.wal import Request, Segment

    moment = time.time_ns() // 1000
    segment = Segment(workspace / "landing" / "wal" / f"{moment:017d}-aa.wal", ["web"])
    segment.append([Request(moment, "web", True, "track", call.encode()) for call in calls])
    segment.complete()
    with Sealer(workspace, settings_of(workspace)) as sealer:
        assert [sealed.problems for sealed in sealer.seal(sealer.waiting())] == [{}]


def record(workspace: Path, status: dg.DagsterRunStatus, tags: Mapping[str, str]) -> None:
    """Keep a run of the job that ended so, as one that the sensor's daemon had launched."""
    with instance_of(workspace) as instance:
        instance.run_storage.add_run(
            dg.DagsterRun(job_name="cdp", run_id=str(uuid.uuid4()), status=status, tags=dict(tags))
        )


class TestAutomation:
    def sensor(self, workspace: Path):
        from pipelines.job import new_files_sensor

        with instance_of(workspace) as instance:
            context = dg.build_sensor_context(instance)
            return list(new_files_sensor(workspace, settings_of(workspace))(context))

    def test_the_sensor_skips_without_new_files(self, shop: Path) -> None:
        (answer,) = self.sensor(shop)
        assert answer.skip_message == "No new files."

    def test_the_sensor_waits_while_a_file_may_grow_and_asks_once(self, own: Path) -> None:
        add_files(own, {"inbox/web/3.jsonl": [call(40, 0)]})
        (growing,) = self.sensor(own)
        assert "growing" in growing.skip_message
        minute_ago = time.time() - 60
        os.utime(own / "inbox/web/3.jsonl", (minute_ago, minute_ago))
        (first,) = self.sensor(own)
        (again,) = self.sensor(own)
        assert first.run_key == again.run_key
        assert first.partition_key == TODAY.date().isoformat()
        os.utime(own / "inbox/web/3.jsonl", (minute_ago - 9, minute_ago - 9))
        (changed,) = self.sensor(own)
        assert changed.run_key != first.run_key

    def collected(self, workspace: Path):
        from pipelines.collected import collected_sensor

        with instance_of(workspace) as instance:
            context = dg.build_sensor_context(instance)
            return list(collected_sensor(workspace, settings_of(workspace))(context))

    def test_the_sensor_of_the_collector_asks_for_what_has_landed_and_no_file(self, own: Path) -> None:
        (answer,) = self.collected(own)
        assert answer.skip_message == "No new events."
        collect(own, [call(41, 0)])
        (first,) = self.collected(own)
        (again,) = self.collected(own)
        assert first.run_key == again.run_key
        assert [key.path for key in first.asset_selection][:2] == [["events", "web"], ["identity"]]
        collect(own, [call(42, 0)])
        (more,) = self.collected(own)
        assert more.run_key != first.run_key
        run(own, engine="dagster", now=TODAY)
        assert rows(own, "SELECT count(*) FROM contact_history WHERE event_id IN ('m41', 'm42')") == [(2,)]
        (answer,) = self.collected(own)
        assert answer.skip_message == "No new events."

    def test_the_sensor_of_the_collector_tries_again_after_a_failure_and_not_for_ever(
        self, own: Path
    ) -> None:
        from pipelines.collected import ATTEMPTS

        collect(own, [call(41, 0)])
        keys = []
        for _ in range(ATTEMPTS):
            (request,) = self.collected(own)
            keys.append(request.run_key)
            record(own, dg.DagsterRunStatus.FAILURE, request.tags)
        assert len(set(keys)) == ATTEMPTS
        (answer,) = self.collected(own)
        assert f"{ATTEMPTS} runs have failed" in answer.skip_message
        collect(own, [call(42, 0)])
        (newer,) = self.collected(own)
        assert newer.run_key not in keys

    def test_the_schedule_asks_for_today(self, shop: Path) -> None:
        from pipelines.job import schedule

        context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 2, 3, tzinfo=UTC))
        request = schedule(settings_of(shop))(context)
        assert request.partition_key == TODAY.date().isoformat()
        assert request.run_key == "20260302T0300"


DG = (sys.executable, "-m", "dagster_dg_cli.cli")
# A script that runs in the background hands an ignored SIGINT down, and dg would never stop.
INTERRUPTIBLE_DG = (
    sys.executable,
    "-c",
    """import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
from dagster_dg_cli.cli import main; main()""",
)


def environment(workspace: Path) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    more = {
        "PYTHONPATH": str(ROOT),
        "CDP_WORKSPACE": str(workspace),
        "DAGSTER_HOME": str(ROOT),
        "PATH": programs,
    }
    return {**os.environ, **more}


def dagster_cli(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `dg` in the project's folder; with DAGSTER_HOME there it reads dagster.yaml and sends nothing."""
    return subprocess.run(
        [*DG, *arguments],
        cwd=ROOT,
        env=environment(workspace),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.slow
class TestDg:
    def test_definitions_load(self, shop: Path) -> None:
        checked = dagster_cli(shop, "check", "defs")
        assert checked.returncode == 0, checked.stderr
        listed = json.loads(dagster_cli(shop, "list", "defs", "--json").stdout)
        assets = {asset["asset_key"] for asset in listed["assets"]}
        names = {"raw/web", "raw/orders", "events/web", "events/orders"}
        assert assets == names | {"identity", "customers", "release", "exports"}
        assert {job["name"] for job in listed["jobs"]} >= {"cdp"}
        assert {sensor["name"] for sensor in listed["sensors"]} == {"new_files", "collected", "follow_up"}

    @pytest.mark.soak
    def test_definitions_load_without_a_workspace(self, tmp_path: Path) -> None:
        listed = dagster_cli(tmp_path, "list", "defs", "--json")
        assert listed.returncode == 0, listed.stderr
        assert json.loads(listed.stdout)["assets"] == []

    def test_launching_the_job_lands_what_is_new(self, own: Path) -> None:
        add_files(own, {"inbox/web/3.jsonl": [call(40, 0)]})
        launched = dagster_cli(own, "launch", "--job", "cdp")
        assert launched.returncode == 0, launched.stderr[-2000:]
        assert rows(own, "SELECT count(*) FROM contact_history WHERE event_id = 'm40'") == [(1,)]
        assert ledger_rows(own, "SELECT command, status FROM runs ORDER BY rowid")[-1] == (
            "dagster",
            "succeeded",
        )
        assert len(materializations(own, "raw", "web")) == 2

    @pytest.mark.soak
    def test_launching_all_assets_of_a_day(self, own: Path) -> None:
        launched = dagster_cli(own, "launch", "--assets", "*", "--partition", TODAY.date().isoformat())
        assert launched.returncode == 0, launched.stderr[-2000:]

    @pytest.mark.soak
    def test_backfilling_a_source_and_day_verifies_it_and_makes_its_events_again(
        self, tmp_path: Path
    ) -> None:
        workspace = make_shop(tmp_path / "shop")
        past = TODAY - timedelta(days=3)
        run(workspace, now=past)
        with Ledger(Lake(workspace).ledger_path) as ledger, ledger.transaction("forget"):
            ledger.execute("UPDATE event_files SET run_id = 'before' WHERE path LIKE '%source=web%'")
        day = past.date().isoformat()
        both = 'key:"raw/web" or key:"events/web"'
        launched = dagster_cli(workspace, "launch", "--assets", both, "--partition", day)
        assert launched.returncode == 0, launched.stderr[-2000:]
        again = ledger_rows(
            workspace, "SELECT run_id FROM event_files WHERE path LIKE '%source=web%' AND current"
        )
        assert again != [("before",)]
        assert metadata(workspace, "raw", "web")["verified"] is True
        assert materializations(workspace, "raw", "web")[0].partition == day

    @pytest.mark.soak
    def test_the_web_pages_show_the_graph(self, shop: Path) -> None:
        port = free_port()
        server = subprocess.Popen(
            [*INTERRUPTIBLE_DG, "dev", "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env=environment(shop),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            nodes = ask(port, "{ assetNodes { assetKey { path } isPartitioned } }")["assetNodes"]
            runs = ask(port, "{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"][
                "results"
            ]
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGKILL)
        partitioned = {"/".join(node["assetKey"]["path"]) for node in nodes if node["isPartitioned"]}
        assert partitioned == {"raw/web", "raw/orders", "events/web", "events/orders"}
        assert len(nodes) == 8
        assert runs == [{"status": "SUCCESS"}]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(port: int, query: str) -> dict:
    """Send a GraphQL query, waiting until the server is there."""
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, "dg dev does not answer"
            time.sleep(0.5)
