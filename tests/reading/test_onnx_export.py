"""ONNX graphs read what PyTorch reads."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emnist_lines.common.alphabet import END, START, decode
from emnist_lines.common.errors import UserError
from emnist_lines.lines.bucket_sampler import BucketSampler, MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network import model_file
from emnist_lines.reading import onnx_export
from tests.conftest import REAL, needs_real


@pytest.fixture(scope="module")
def graphs(released: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    return onnx_export.export(tmp_path_factory.mktemp("onnx") / "folder" / "lines.onnx", released)


def texts_of(graphs: tuple[Path, Path], images: np.ndarray, widths: np.ndarray, steps: int) -> list[str]:
    """Greedy decoding with onnxruntime."""
    import onnxruntime

    encoder, step = (onnxruntime.InferenceSession(str(path)) for path in graphs)
    features, mask = encoder.run(None, {"images": images, "widths": widths})
    tokens = np.full((len(images), 1), START, dtype=np.int64)
    for _ in range(steps):
        (log_probs,) = step.run(None, {"tokens": tokens, "features": features, "mask": mask})
        assert np.allclose(np.exp(log_probs).sum(axis=1), 1, atol=1e-4)
        tokens = np.concatenate([tokens, log_probs.argmax(axis=1)[:, None]], axis=1)
        if (tokens == END).any(axis=1).all():
            break
    return [decode(row[1:]) for row in tokens.tolist()]


def check(graphs: tuple[Path, Path], released: Path, lines: Path, batches: list[list[int]]) -> None:
    """Both read the same in the test lines of a file."""
    recognizer, card = model_file.load(released)
    dataset = LinesDataset(lines, "test", step=8)
    for chosen in batches:
        batch = dataset[MicroBatch(chosen, chosen)]
        with torch.inference_mode():
            expected = [line.text for line in recognizer.greedy(recognizer.encode(batch.images, batch.widths))]
        assert texts_of(graphs, batch.images.numpy(), batch.widths.numpy(), card.max_length - 1) == expected


def test_onnxruntime_reads_the_same_texts(graphs: tuple[Path, Path], released: Path, drawn_lines: Path) -> None:
    assert [path.name for path in graphs] == ["lines.onnx", "lines.decoder.onnx"]
    assert not list(graphs[0].parent.glob("*.part*"))
    check(graphs, released, drawn_lines, [[0], [1, 2, 3], list(range(4, 64))])


@pytest.mark.slow
@needs_real
def test_onnxruntime_reads_the_same_in_all_real_test_lines(graphs: tuple[Path, Path], released: Path) -> None:
    widths = LinesDataset(REAL, "test", step=8).widths
    check(graphs, released, REAL, [micro_batch.indices for micro_batch in BucketSampler(widths, 128)])


def test_missing_packages_are_one_sentence(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"ONNX files need packages .* install them with `pip install"):
        onnx_export.export(tmp_path / "lines.onnx", released)
