"""dvc.yaml names the folders of the packages that each stage imports, and the parameters that it reads."""

import ast
from pathlib import Path

import pytest
import yaml
from benchmarks.parameters import Params

from tests.conftest import ROOT

PACKAGE = ROOT / "src" / "emnist_lines"
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = ("download", "synthesize", "language", "train", "evaluate")
SECTIONS = {"download", "synthesize", "language", "model", "train", "evaluate"}


def imported_modules(path: Path) -> set[Path]:
    """The package's files that `path` imports, directly or through others."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop().read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, "imports are absolute"
                names = [str(node.module)] + [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                parts = name.split(".")
                candidates = [PACKAGE.parent.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
                candidates.append(PACKAGE.parent.joinpath(*parts).with_suffix(".py"))
                new = [file for file in candidates if file.is_file() and file not in seen]
                seen.update(new)
                waiting += new
    return seen


def test_there_are_five_stages() -> None:
    assert tuple(PIPELINE["stages"]) == STAGES


def test_training_depends_on_the_model_that_it_starts_from(defaults: Params) -> None:
    assert defaults.train.start_from in PIPELINE["stages"]["train"]["deps"]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_folders_that_the_stage_imports(stage: str) -> None:
    imported = imported_modules(ROOT / "stages" / f"{stage}.py")
    folders = {str(path.parent.relative_to(ROOT)) for path in imported if path.parent != PACKAGE}
    deps = PIPELINE["stages"][stage]["deps"]
    assert {dep for dep in deps if dep.startswith("src/")} == folders
    assert f"stages/{stage}.py" in deps
    assert imported - {PACKAGE / "__init__.py"} == {path for path in imported if path.parent != PACKAGE}


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_reads_is_its_dep_or_made_by_itself(stage: str) -> None:
    """Files of data and models that its script names."""
    tree = ast.parse((ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    named = {word for word in words if word.startswith(("data/", "models/"))}
    entry = PIPELINE["stages"][stage]
    outs = {next(iter(out)) if isinstance(out, dict) else out for out in entry.get("outs", [])}
    assert named
    assert named <= {*entry["deps"], *outs}


def test_compiled_files_do_not_count_as_code() -> None:
    assert {"__pycache__/", "*.pyc"} <= set((ROOT / ".dvcignore").read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_the_sections_that_the_stage_reads(stage: str) -> None:
    tree = ast.parse((ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {
        keyword.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords if keyword.arg
    }
    assert set(PIPELINE["stages"][stage]["params"]) == names & SECTIONS


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_short_script(stage: str) -> None:
    lines = (ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 60
