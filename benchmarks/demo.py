"""The demo as a stranger meets it: seconds to the incident and to the end, peak memory.

    python benchmarks/demo.py             # with the virtual environment that is there
    python benchmarks/demo.py --fresh     # clone, `make install` and demo, as on a new machine
    python benchmarks/demo.py --quick     # as without a flag; for CI

The lab runs in the demo's own process, so its memory is included.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIRMED = re.compile(r"CONFIRMED +.*(Microsoft 365|microsoft365)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if not args.fresh:
        show(0.0, [sys.executable, "-m", "monitor"], ROOT)
        return
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "seedwatch"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        started = time.monotonic()
        subprocess.run(["make", "install"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
        show(time.monotonic() - started, [str(clone / ".venv/bin/seedwatch")], clone)


def show(install_s: float, command: list[str], cwd: Path) -> None:
    started = time.monotonic()
    found_s = None
    with subprocess.Popen(
        [*command, "demo", "--once", "--json"],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        for line in running.stderr:
            if found_s is None and CONFIRMED.search(line):
                found_s = time.monotonic() - started
        document = json.loads(running.stdout.read())
    whole_s = time.monotonic() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    if install_s:
        print(f"make install               {install_s:7.1f} s")
    print(f"start to the incident      {found_s or float('nan'):7.1f} s")
    print(f"start to the end           {whole_s:7.1f} s  (target: under 90)")
    print(f"processor                  {usage.ru_utime + usage.ru_stime:7.1f} s")
    print(f"peak memory, lab included  {usage.ru_maxrss / 1024:7.0f} MB (target: under 300)")
    print(f"copies {document['copies']}, sightings {document['sightings']}, ", end="")
    print(f"alerts read back {sum(a['read_back'] for a in document['alerts'])}, ", end="")
    print(f"story ok: {document['story_ok']}")
    sys.exit(0 if document["story_ok"] else 1)


if __name__ == "__main__":
    main()
