"""A test that kills its process, with the workers that `make test` has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import ROOT


def test_a_test_that_kills_its_worker_is_one_failure_and_the_rest_goes_on(tmp_path: Path) -> None:
    hooks = (
        "from scheduling import OnceOnly\ndef pytest_xdist_make_scheduler(config, log): return OnceOnly(config, log)\n"
    )
    (tmp_path / "conftest.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT / 'tests')!r})\n{hooks}")
    fine = "".join(f"def test_fine_{number}(): pass\n" for number in range(8))
    (tmp_path / "test_it.py").write_text(f"import os\ndef test_dies(): os.abort()\n{fine}")
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "-q", "-rf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "1 failed, 8 passed" in done.stdout
    assert "crashed while running 'test_it.py::test_dies'" in done.stdout
