"""dvc.yaml names exactly what each stage imports, and the parameters that it reads."""

import ast
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

SOURCE = ROOT / "src"
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = ("download", "synthesize", "train", "evaluate")


def modules_of(path: Path) -> set[Path]:
    """The package's files that `path` imports, directly or through others, with the packages they lie in."""
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
                candidates = [SOURCE.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
                candidates.append(SOURCE.joinpath(*parts).with_suffix(".py"))
                new = [file for file in candidates if file.is_file() and file not in seen]
                seen.update(new)
                waiting += new
    return seen


def test_there_are_four_stages() -> None:
    assert tuple(PIPELINE["stages"]) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_what_the_stage_imports(stage: str) -> None:
    script = ROOT / "stages" / f"{stage}.py"
    imported = {str(path.relative_to(ROOT)) for path in modules_of(script)} | {f"stages/{stage}.py"}
    declared = {dep for dep in PIPELINE["stages"][stage]["deps"] if dep.endswith(".py")}
    assert declared == imported


def test_the_sentences_that_the_download_may_write_are_its_dep() -> None:
    assert "src/emnist_lines/sentences.txt" in PIPELINE["stages"]["download"]["deps"]


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_the_sections_that_the_stage_reads(stage: str) -> None:
    tree = ast.parse((ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    sections = {"download", "synthesize", "model", "train", "evaluate"}
    reads = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in sections}
    assert set(PIPELINE["stages"][stage]["params"]) == reads


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_short_script(stage: str) -> None:
    lines = (ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 60
