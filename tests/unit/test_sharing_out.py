"""How tests are shared out among processes: one that ends takes no other test with it, and all are run."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import gan

ROOT = Path(gan.__file__).parent.parent
FILES, END = 8, (2, 7)
FIRST = {"test_passes": "pass", "test_ends": "import os; os._exit(3)"}


def test_a_process_that_ends_fails_the_test_that_it_was_at_and_no_other(tmp_path):
    expected = Counter()
    for number in range(FILES):
        first = "test_ends" if number in END else "test_passes"
        text = f"def {first}():\n    {FIRST[first]}\n\n\ndef test_passes_as_well():\n    pass\n"
        (tmp_path / f"test_{number}.py").write_text(text)
        expected["FAILED" if number in END else "PASSED", str(number), first] += 1
        expected["PASSED", str(number), "test_passes_as_well"] += 1
    # nothing but what shares out: each process is to be there soon
    plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    words = ["-p", "xdist.plugin", "-p", "conftest", "-p", "no:cacheprovider", "-n", "2", "-v", "."]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=tmp_path,
        env={**clean, **plugins},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    told = done.stdout.partition("= FAILURES")[0]
    assert Counter(re.findall(r"(PASSED|FAILED) test_(\d)\.py::(\w+)", told)) == expected
