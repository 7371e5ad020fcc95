"""Look the pinned packages up among known vulnerabilities, as in `python .ci/audit.py constraints.txt`.

Ends with 1 where one is known. Where the database cannot be reached, or does not know a package, that is said.
"""

import json
import subprocess
import sys

SECONDS = 120


def main(constraints: str) -> int:
    """Print a line, and one more for each package with a known vulnerability."""
    command = [sys.executable, "-m", "pip_audit", "-r", constraints, "--no-deps", "--disable-pip", "--format", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        found = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, LookupError):
        print(f"audit: NOT DONE: the database of vulnerabilities did not answer within {SECONDS} s")
        return 0
    known = [each for each in found if "skip_reason" not in each]
    holes = [each for each in known if each["vulns"]]
    print(f"audit: {len(known)} of {len(found)} pinned packages are in the database, {len(holes)} with known holes")
    if not known:
        print("audit: NOT DONE: the package index in use has no such database")
    for each in holes:
        print(f"  {each['name']} {each['version']}: {', '.join(hole['id'] for hole in each['vulns'])}")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
