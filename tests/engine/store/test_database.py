"""The engine's file: its schema's versions, files that are none of ours, and what SQLite may meet: locks, full disks, damage, read-only places."""

import contextlib
import hashlib
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import anyio
import pytest

import inngest_gen as ig
from inngest_gen.engine.store import database, schema
from inngest_gen.engine.store.reader import Reader
from tests.engine.rig import PATIENCE_S, START, engine, eventually, program, step

HERE = pathlib.Path(__file__).parent


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[sqlite3.Connection]:
    """A connection of somebody else's."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def shop() -> ig.App:
    app = ig.App("shop")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        a = yield ctx.step.run("a", str, "a")
        yield ctx.step.sleep("nap", "1h")
        b = yield ctx.step.run("b", str, "b")
        yield ig.Done(a + b)

    return app


class TestVersions:
    async def test_a_new_file_has_the_newest_version_and_says_whose_it_is(self, path: pathlib.Path) -> None:
        async with engine(path, shop()):
            pass
        with opened(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
            assert connection.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    async def test_a_file_of_the_first_version_is_brought_up_to_date_and_its_runs_go_on(self, path: pathlib.Path) -> None:
        hash_of = {name: hashlib.sha1(name.encode()).hexdigest() for name in ("a", "nap")}
        with opened(path) as connection:
            connection.executescript(schema.MIGRATIONS[0])
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.execute("PRAGMA user_version = 1")
            connection.execute(
                "INSERT INTO events (seq, id, name, data, ts, meta, received, origin) VALUES (1, 'e', 'go', '{}', ?, NULL, ?, NULL)",
                (int(START * 1000), START),
            )
            connection.execute(
                "INSERT INTO runs (run, id, function, event, kind, origin, status, suspended, codes, created, started)"
                " VALUES (1, '01M30000000000000000000000', 'shop-f', 1, 'event', 1, 'running', 1, 'older code', ?, ?)",
                (START, START),
            )
            log = "INSERT INTO log (run, at, kind, hash, position, info, data) VALUES (1, ?, ?, ?, ?, ?, ?)"
            connection.execute(log, (START, "result", hash_of["a"], 0, b'{"id":"a","kind":"step.run"}', b'"A"'))
            connection.execute(log, (START, "plan", hash_of["nap"], 1, b'{"id":"nap","kind":"step.sleep"}', None))
            connection.execute("INSERT INTO pauses (run, hash, kind, due) VALUES (1, ?, 'sleep', ?)", (hash_of["nap"], START + 3600))
        async with engine(path, shop()) as its_engine:
            [one] = await its_engine.runs()
            with anyio.fail_after(PATIENCE_S):
                one = await its_engine.wait(one.id)
        assert one.output == "Ab"
        with opened(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)

    async def test_migrations_run_once_each_and_in_order(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async with engine(path, shop()):
            pass
        more = ("CREATE TABLE two (n); INSERT INTO two VALUES (2);", "INSERT INTO two VALUES (3);")
        monkeypatch.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, *more))
        monkeypatch.setattr(database, "VERSION", schema.VERSION + 2)
        for _ in range(2):
            async with engine(path, shop()):
                pass
        with opened(path) as connection:
            assert connection.execute("SELECT n FROM two").fetchall() == [(2,), (3,)]
            assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION + 2,)

    async def test_a_migration_that_fails_leaves_the_file_at_a_whole_version(
        self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with engine(path, shop()):
            pass
        with monkeypatch.context() as patch:
            patch.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE two (n); INSERT INTO nowhere VALUES (1);"))
            patch.setattr(database, "VERSION", schema.VERSION + 1)
            with pytest.raises(ig.StoreError, match="no such table: nowhere"):
                async with engine(path, shop()):
                    pass
        with opened(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
            assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'two'").fetchone() == (0,)
        async with engine(path, shop()):
            pass

    async def test_a_newer_version_is_refused_and_left_alone(self, path: pathlib.Path) -> None:
        async with engine(path, shop()):
            pass
        with opened(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        with pytest.raises(ig.StoreError, match=r"written by a newer version of inngest_gen \(schema 99, this one knows \d+\): upgrade"):
            async with engine(path, shop()):
                pass
        with pytest.raises(ig.StoreError, match="newer version"):
            Reader(path)
        with opened(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (99,)


class TestForeignFiles:
    async def test_another_programs_database_is_refused_and_not_changed(self, path: pathlib.Path) -> None:
        with opened(path) as connection:
            connection.execute("CREATE TABLE theirs (n)")
        before = path.read_bytes()
        for _ in range(2):
            with pytest.raises(ig.StoreError, match="is an SQLite file, but no engine's: name another one"):
                async with engine(path, shop()):
                    pass
        assert path.read_bytes() == before

    async def test_a_file_that_is_no_database_is_refused_and_not_changed(self, path: pathlib.Path) -> None:
        path.write_bytes(b"Dear diary,\n" * 1000)
        with pytest.raises(ig.StoreError, match="file is not a database; this is no SQLite file: name another one"):
            async with engine(path, shop()):
                pass
        assert path.read_bytes() == b"Dear diary,\n" * 1000

    async def test_a_directory_that_does_not_exist(self, path: pathlib.Path) -> None:
        with pytest.raises(ig.StoreError, match="deeper does not exist"):
            async with engine(path / "deeper" / "shop.db", shop()):
                pass

    async def test_a_directory_in_its_place(self, path: pathlib.Path) -> None:
        path.mkdir()
        with pytest.raises(ig.StoreError, match="unable to open database file"):
            async with engine(path, shop()):
                pass

    async def test_an_empty_file_is_taken(self, path: pathlib.Path) -> None:
        path.touch()
        async with engine(path, shop()):
            pass

    def test_a_reader_needs_a_file_of_an_engine(self, path: pathlib.Path) -> None:
        with pytest.raises(ig.StoreError, match="does not exist"):
            Reader(path)
        with opened(path) as connection:
            connection.execute("CREATE TABLE theirs (n)")
        with pytest.raises(ig.StoreError, match="no engine's"):
            Reader(path)

    @pytest.mark.parametrize("what", ["directory", "file"])
    def test_a_read_only_place(self, what: str) -> None:
        place = pathlib.Path(tempfile.mkdtemp())
        path = place / "shop.db"
        try:
            if what == "file":
                database.connect(path).close()
                path.chmod(0o444)
                place.chmod(0o777)
            else:
                place.chmod(0o555)
            done = subprocess.run([sys.executable, str(HERE / "unwritable.py"), str(path)], capture_output=True, text=True, timeout=60)
        finally:
            place.chmod(0o777)
            shutil.rmtree(place)
        assert done.stderr == ""
        expected = "Permission denied: the engine needs a directory" if what == "directory" else "the file or its directory is read-only"
        assert expected in done.stdout


class TestDamage:
    async def fill(self, path: pathlib.Path) -> None:
        async with engine(path, shop(), clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(*(ig.Event("go", {"text": "x" * 2000}) for _ in range(30)))
            await eventually(lambda: len(its_engine._timers) == 30 and its_engine._idle())

    async def test_a_damaged_file_is_refused_in_plain_words(self, path: pathlib.Path) -> None:
        await self.fill(path)
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (size - 4096))
        with pytest.raises(ig.StoreError, match=r"(malformed|damaged)"):
            async with engine(path, shop()):
                pass

    async def test_damage_under_a_running_engine_fails_what_needs_it_and_hangs_nothing(
        self, path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = shop()
        async with engine(path, app) as its_engine:
            job = its_engine._writer.submit(lambda tx: tx.connection.execute("DROP TABLE log"), lambda _: None)
            await eventually(lambda: job.result is not None)
            with pytest.raises(ig.StoreError, match="no such table: log"):
                await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
            assert not its_engine._live
        assert "stopped here" in caplog.text


class TestLocks:
    async def test_a_send_fails_after_the_busy_timeout_and_what_runs_waits(
        self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(database, "BUSY_MS", 20)
        app = shop()
        entered, free = anyio.Event(), anyio.Event()

        async def body() -> str:
            entered.set()
            await free.wait()
            return "kept"

        @app.function("g", trigger="slow")
        async def g(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("s", body)))

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("slow"))
            await entered.wait()
            with opened(path) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(ig.StoreError, match="database is locked; another program holds the file locked"):
                    await its_engine.send(ig.Event("go"))
                free.set()
                await eventually(lambda: "trying again until it passes" in caplog.text)
                # Behind a result that waits, nobody else has to.
                for ask in (lambda: its_engine.send(ig.Event("go")), lambda: its_engine.run(ig.Event("go"))):
                    with pytest.raises(ig.StoreError, match="locked"):
                        await ask()
                [one] = await its_engine.runs()
                with pytest.raises(ig.StoreError, match="locked"):
                    await its_engine.cancel(one.id)
                assert not one.has_ended
                other.execute("ROLLBACK")
            with anyio.fail_after(PATIENCE_S):
                assert (await its_engine.wait(one.id)).output == "kept"
                [two] = await its_engine.run(ig.Event("go"))
                assert two.output == "ab"

    async def test_a_locked_file_does_not_keep_the_engine_from_stopping(
        self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(database, "BUSY_MS", 20)
        app = ig.App("shop")
        calls = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("s", lambda: calls.append(1) or len(calls))))  # type: ignore[func-returns-value]

        with opened(path) as other:
            with anyio.fail_after(PATIENCE_S):
                async with engine(path, app, grace="50ms") as its_engine:
                    await its_engine.send(ig.Event("go"))
                    other.execute("BEGIN IMMEDIATE")
                    await eventually(lambda: "trying again" in caplog.text)
                assert its_engine._state == "closed"
            other.execute("ROLLBACK")
        async with engine(path, app) as its_engine:
            [one] = await its_engine.runs()
            with anyio.fail_after(PATIENCE_S):
                assert (await its_engine.wait(one.id)).status == "completed"

    async def test_a_start_beside_a_lock_fails_in_plain_words(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async with engine(path, shop()):
            pass
        monkeypatch.setattr(database, "BUSY_MS", 20)
        with opened(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ig.StoreError, match="locked"):
                async with engine(path, shop()):
                    pass

    async def test_timers_that_come_due_meanwhile_fire_later(
        self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(database, "BUSY_MS", 20)
        clock = ig.VirtualClock(START)
        async with engine(path, shop(), clock=clock) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(lambda: its_engine._timers and its_engine._idle())
            with opened(path) as other:
                other.execute("BEGIN IMMEDIATE")
                clock.advance_to(START + 3600)
                await eventually(lambda: "trying again" in caplog.text)
                other.execute("ROLLBACK")
            [one] = await its_engine.runs()
            with anyio.fail_after(PATIENCE_S):
                assert (await its_engine.wait(one.id)).output == "ab"

    async def test_readers_do_not_hold_the_writer_up(self, path: pathlib.Path) -> None:
        async with engine(path, shop()) as its_engine:
            with opened(path) as other:
                other.execute("BEGIN")
                other.execute("SELECT * FROM runs").fetchall()
                [one] = await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
                assert one.output == "ab"
                assert other.execute("SELECT count(*) FROM runs").fetchone() == (0,)  # its own moment in time


class TestFullDisk:
    @pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux changes the limits of another process")
    @pytest.mark.parametrize("loop", ["asyncio", "trio"])
    def test_what_was_acknowledged_is_kept_and_it_goes_on_when_there_is_room(self, loop: str, path: pathlib.Path) -> None:
        with program(HERE / "filling.py", loop, path, 8_000_000) as process:
            assert process.stdout is not None
            lines: list[str] = []
            while not (lines and lines[-1].startswith("refused")):
                lines.append(process.stdout.readline())
                assert lines[-1], process.communicate()[1]
            assert any(word in lines[-1] for word in ("disk is full", "disk reports an error")), lines[-1]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            out, err = process.communicate("go on\n", timeout=PATIENCE_S)
        lines += out.splitlines()
        assert lines[-1] == "done", err
        acknowledged = [line.split()[1] for line in lines if line.startswith("sent")]
        assert len(acknowledged) > 5
        reader = Reader(path)
        runs = reader.runs(limit=1000)
        reader.close()
        assert {one.event.id for one in runs} == set(acknowledged)
        assert {one.output for one in runs} == {300_000, 4}
        with opened(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    async def test_a_result_waits_for_room(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        app = ig.App("shop")
        calls = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            text = yield ctx.step.run("big", lambda: calls.append(1) or "x" * 1_000_000)  # type: ignore[func-returns-value]
            yield ig.Done(len(text))

        def pages(its_engine: ig.Engine, more: int) -> None:
            its_engine._writer.submit(
                lambda tx: tx.connection.execute(
                    f"PRAGMA max_page_count = {tx.connection.execute('PRAGMA page_count').fetchone()[0] + more}"
                ),
                lambda _: None,
            )

        async with engine(path, app) as its_engine:
            pages(its_engine, 20)
            await its_engine.send(ig.Event("go"))
            await eventually(lambda: "the disk is full: free some room; nothing that was acknowledged is lost" in caplog.text)
            with pytest.raises(ig.StoreError, match="full"):
                await its_engine.send(ig.Event("go", {"text": "x" * 200_000}))
            [one] = await its_engine.runs()
            assert not one.has_ended
            connection = its_engine._writer._connection
            connection.execute("PRAGMA max_page_count = 1000000")
            with anyio.fail_after(PATIENCE_S):
                one = await its_engine.wait(one.id)
            assert one.output == 1_000_000
            assert step(one, "big").attempts == ()
        assert calls == [1]


def test_errors_in_plain_words(path: pathlib.Path) -> None:
    for text, words in (
        ("database or disk is full", "free some room"),
        ("database is locked", "another program holds the file"),
        ("database disk image is malformed", "restore a backup"),
        ("disk I/O error", "the disk reports an error"),
        ("attempt to write a readonly database", "read-only"),
        ("something new", "SQLite reports it"),
    ):
        assert words in str(database.store_error(sqlite3.OperationalError(text), path))


@pytest.mark.parametrize(("durability", "level"), [("power", 2), ("process", 1)])
async def test_durability_sets_what_a_commit_waits_for(path: pathlib.Path, durability: str, level: int) -> None:
    async with engine(path, shop(), durability=durability) as its_engine:
        assert its_engine._writer._connection.execute("PRAGMA synchronous").fetchone() == (level,)
