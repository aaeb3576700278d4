"""What a change did to the experiment, in Markdown: `make pr-report BASE=main`."""

import subprocess
import sys

from emnist_lines.common.errors import UserError, run

PARTS = {"Metrics": ["dvc", "metrics", "diff", "--md"], "Parameters": ["dvc", "params", "diff", "--md"]}


def report(base: str) -> str:
    """Tables of metrics and parameters that differ from those of the Git revision `base`.

    Raises:
        UserError: there is no such revision, or DVC cannot compare.
    """
    known = subprocess.run(
        ["git", "rev-parse", "--short", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if known.returncode != 0:
        raise UserError(f"there is no Git revision {base!r} to compare with; give one with BASE=…")
    commit = known.stdout.strip()
    out = ["## What this does to the experiment", "", f"Against `{base}` ({commit}); made by `make pr-report`."]
    for title, command in PARTS.items():
        done = subprocess.run([*command, commit], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UserError(f"{' '.join(command)} failed: {' '.join(done.stderr.split())}")
        table = done.stdout.strip()
        out += ["", f"### {title}", "", table if table.count("\n") > 1 else "No change."]  # more than a head
    return "\n".join(out)


def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("name the Git revision to compare with: make pr-report BASE=main")
    print(report(sys.argv[1]))


if __name__ == "__main__":
    run(main)
