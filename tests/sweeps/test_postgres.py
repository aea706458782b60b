"""A study in a real PostgreSQL, in which processes meet that share nothing but its address."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zoo.builder import Builder
from zoo.errors import RunError
from zoo.sweeps.plan import Plan
from zoo.sweeps.storage import Standing, open_study
from zoo.sweeps.sweep import sweep

PASSWORD = "hush-hush"


def _binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, as Debian and others lay them out."""
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


def _user() -> str:
    """Return who runs the server, which refuses to be run by root."""
    import pwd

    if os.geteuid():
        return getpass.getuser()
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip("PostgreSQL refuses to be run by root, and there is no user postgres or nobody")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a PostgreSQL on loopback, and yield the URL of its database."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (initdb is neither in /usr/lib/postgresql/*/bin nor on PATH)")
    user = _user()
    become = {"user": user} if not os.geteuid() else {}
    folder = Path(tempfile.mkdtemp(prefix="zoo-postgres-"))  # short: its socket's path may have 107 letters
    try:
        if become:
            shutil.chown(folder, user)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = folder / "data"
        words = [binaries / "initdb", "-D", data, "-U", "zoo", "-A", "scram-sha-256", f"--pwfile={secret}", "-N"]
        subprocess.run(words, check=True, capture_output=True, cwd=folder, **become)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-p", str(port), "-k", str(folder)]
        log = (folder / "log").open("wb")
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *options], cwd=folder, stdout=log, stderr=log, **become
        )
        try:
            _await(port, process, folder / "log")
            yield f"postgresql://zoo:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for every client to leave
            process.wait()
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    while process.poll() is None:
        try:
            psycopg.connect(f"postgresql://zoo:{PASSWORD}@127.0.0.1:{port}/postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    pytest.skip(f"PostgreSQL does not start here: {log.read_text()[-500:]}")


def test_two_processes_that_share_only_the_address_share_the_trials(
    server: str, plan: Callable[..., Plan], builder: Builder, killed: Callable[..., str]
) -> None:
    """One is killed in the middle of a trial; the other, in a folder of its own, ends the study."""
    parts = {"name": "shared", "train__steps": 12, "sweep__trials": 3}
    there = plan(server, folder="there", **parts)
    said = killed(there, **parts)
    here = plan(server, heartbeat=1, folder="here", **parts)
    summary = sweep(here, builder, say=lambda text: None)
    standing = Standing.of(open_study(here), here)
    points = [tuple(one.params.items()) for one in standing.complete]
    assert len(summary["trials"]) == len(set(points)) == 3
    assert not standing.running and not standing.waiting
    (name,) = [path.name for path in there.folder.glob("trial-*")]
    assert name in [one["folder"] for one in summary["trials"]]  # the other took it up
    assert PASSWORD not in said
    folders = (here.folder, there.folder)
    written = [file for folder in folders for file in folder.rglob("*") if file.suffix in (".json", ".yaml")]
    assert written and not any(PASSWORD in file.read_text() for file in written)


def test_a_second_study_of_one_name_is_refused(server: str, plan: Callable[..., Plan]) -> None:
    open_study(plan(server, name="taken"))
    with pytest.raises(RunError, match=r"zoo:\*\*\*@127.0.0.1.*: it holds a study called taken of another space"):
        open_study(plan(server, folder="other", name="taken", train__steps=9))
