"""The network is the one that the lab printed, and does not peek."""

import pytest
import torch
from benchmarks.parameters import Params
from pytorch_lightning.utilities.model_summary import ModelSummary

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.lines.crop import crop_width
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer, PositionalEncoding
from emnist_lines.training.lit_recognizer import LitRecognizer

TABLE = """
model LineCNNTransformer 3.8 M
model.line_cnn LineCNN 1.1 M
model.line_cnn.convs Sequential 698 K
model.line_cnn.convs.0 ConvBlock 320
model.line_cnn.convs.0.conv Conv2d 320
model.line_cnn.convs.0.relu ReLU 0
model.line_cnn.convs.1 ConvBlock 9.2 K
model.line_cnn.convs.1.conv Conv2d 9.2 K
model.line_cnn.convs.1.relu ReLU 0
model.line_cnn.convs.2 ConvBlock 9.2 K
model.line_cnn.convs.2.conv Conv2d 9.2 K
model.line_cnn.convs.2.relu ReLU 0
model.line_cnn.convs.3 ConvBlock 9.2 K
model.line_cnn.convs.3.conv Conv2d 9.2 K
model.line_cnn.convs.3.relu ReLU 0
model.line_cnn.convs.4 ConvBlock 18.5 K
model.line_cnn.convs.4.conv Conv2d 18.5 K
model.line_cnn.convs.4.relu ReLU 0
model.line_cnn.convs.5 ConvBlock 36.9 K
model.line_cnn.convs.5.conv Conv2d 36.9 K
model.line_cnn.convs.5.relu ReLU 0
model.line_cnn.convs.6 ConvBlock 73.9 K
model.line_cnn.convs.6.conv Conv2d 73.9 K
model.line_cnn.convs.6.relu ReLU 0
model.line_cnn.convs.7 ConvBlock 147 K
model.line_cnn.convs.7.conv Conv2d 147 K
model.line_cnn.convs.7.relu ReLU 0
model.line_cnn.convs.8 ConvBlock 393 K
model.line_cnn.convs.8.conv Conv2d 393 K
model.line_cnn.convs.8.relu ReLU 0
model.line_cnn.fc1 Linear 262 K
model.line_cnn.dropout Dropout 0
model.line_cnn.fc2 Linear 131 K
model.embedding Embedding 21.2 K
model.fc Linear 21.3 K
model.pos_encoder PositionalEncoding 0
model.pos_encoder.dropout Dropout 0
model.transformer_decoder TransformerDecoder 2.6 M
model.transformer_decoder.layers ModuleList 2.6 M
"""
LAYER = """
 TransformerDecoderLayer 659 K
.self_attn MultiheadAttention 263 K
.self_attn.out_proj _LinearWithBias 65.8 K
.multihead_attn MultiheadAttention 263 K
.multihead_attn.out_proj _LinearWithBias 65.8 K
.linear1 Linear 65.8 K
.dropout Dropout 0
.linear2 Linear 65.8 K
.norm1 LayerNorm 512
.norm2 LayerNorm 512
.norm3 LayerNorm 512
.dropout1 Dropout 0
.dropout2 Dropout 0
.dropout3 Dropout 0
"""
METRICS = """
train_acc Accuracy 0
val_acc Accuracy 0
test_acc Accuracy 0
loss_fn CrossEntropyLoss 0
val_cer CharacterErrorRate 0
test_cer CharacterErrorRate 0
"""
RENAMED = {
    "_LinearWithBias": "NonDynamicallyQuantizableLinear",
    "Accuracy": "MulticlassAccuracy",
    "CharacterErrorRate": "CharErrorRate",
}
"""What torch and torchmetrics have renamed since torch 1.7, and the lab's own metric, which torchmetrics has too."""


def printed_table() -> list[tuple[str, str, str]]:
    """The 101 rows of the lab's print: name, type, parameters."""
    layers = [f"model.transformer_decoder.layers.{i}{row}" for i in range(4) for row in LAYER.strip("\n").split("\n")]
    rows = [*TABLE.strip().split("\n"), *layers, *METRICS.strip().split("\n")]
    split = [row.split(" ", 2) for row in rows]
    return [(name, RENAMED.get(kind, kind), count) for name, kind, count in split]


def shown(count: int) -> str:
    """A number of parameters as the lab's Lightning 1.1.4 showed it: three digits, rounded down or to a decimal."""
    for unit, size in (("M", 1_000_000), ("K", 1_000)):
        if count >= size:
            value = count / size
            return f"{int(value)} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return str(count)


def test_every_row_of_the_printed_table(defaults: Params) -> None:
    lit = LitRecognizer(defaults.model, defaults.train.replace(ctc_weight=0), 32, total_steps=10)
    summary = ModelSummary(lit, max_depth=-1)
    rows = zip(summary.layer_names, summary.layer_types, map(shown, summary.param_nums), strict=True)
    assert list(rows) == printed_table()
    assert len(printed_table()) == 101
    assert sum(p.numel() for p in lit.parameters()) == 3_773_043


def test_ctc_head_comes_after_the_table_and_outside_the_network(defaults: Params) -> None:
    lit = LitRecognizer(defaults.model, defaults.train, 32, total_steps=10)
    names = ModelSummary(lit, max_depth=-1).layer_names
    assert names[101:] == ["ctc_head", "val_ctc_cer"]
    assert sum(p.numel() for p in lit.model.parameters()) == 3_773_043


@pytest.fixture
def model(defaults: Params) -> LineCNNTransformer:
    torch.manual_seed(0)
    return LineCNNTransformer(defaults.model).eval()


def lines_of(*widths: int, columns: int = 896) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (len(widths), 28, columns), dtype=torch.uint8, generator=generator)
    for image, width in zip(images, widths, strict=True):
        image[:, width:] = 0
    return images, torch.tensor(widths)


def test_later_tokens_never_change_earlier_logits(model: LineCNNTransformer) -> None:
    images, widths = lines_of(300, 200)
    tokens = torch.randint(4, len(SYMBOLS), (2, 12))
    changed = tokens.clone()
    changed[:, 7:] = 5
    before, after = model(images, tokens, widths), model(images, changed, widths)
    torch.testing.assert_close(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


@pytest.mark.parametrize("width", [28, 29, 155, 156, 157, 300, 840, 896])
def test_a_crop_gives_the_padded_line_s_features_and_logits(model: LineCNNTransformer, width: int) -> None:
    """With biases, which make paper something else to the next convolution than the zeros beyond an image's edge."""
    for block in model.line_cnn.convs:
        torch.nn.init.normal_(block.conv.bias, std=0.3)
    images, widths = lines_of(width)
    tokens = torch.randint(4, len(SYMBOLS), (1, 5))
    crop = crop_width(width, 896, 8)
    valid = int(model.line_cnn.valid_windows(widths))
    padded, _, _ = model.encode(images, widths)
    cropped, mask, _ = model.encode(images[:, :, :crop], widths)
    assert padded.shape[1] == model.line_cnn.windows(896) == 111
    assert mask is not None
    assert int((~mask).sum()) == valid
    torch.testing.assert_close(cropped[:, :valid], padded[:, :valid], rtol=1e-4, atol=1e-4)
    full, crop_logits = model(images, tokens, widths), model(images[:, :, :crop], tokens, widths)
    torch.testing.assert_close(full, crop_logits, rtol=1e-3, atol=1e-3)


def test_convolutions_run_with_the_channels_last_in_memory(model: LineCNNTransformer) -> None:
    images, widths = lines_of(300)
    seen = []
    for block in model.line_cnn.convs:
        block.register_forward_hook(
            lambda block, inputs, out: seen.append(out.is_contiguous(memory_format=torch.channels_last))
        )
    model.encode(images, widths)
    assert seen == [True] * 9


def test_without_mask_and_norm_it_is_the_lab_s_encoder(defaults: Params) -> None:
    lab = defaults.model.replace(normalize_features=False, mask_padding=False)
    torch.manual_seed(0)
    model = LineCNNTransformer(lab).eval()
    images, widths = lines_of(100)
    features, mask, hidden = model.encode(images, widths)
    assert mask is None
    expected = model.line_cnn.fc2(hidden) * 16 + model.pos_encoder.pe[:111]
    torch.testing.assert_close(features, expected)


def test_positions_are_vaswani_s() -> None:
    encoding = PositionalEncoding(4, dropout=0.0)
    expected = torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.841471, 0.540302, 0.01, 0.99995]])
    torch.testing.assert_close(encoding(torch.zeros(1, 2, 4))[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("initialization", ["fan_in", "fan_out"])
def test_initialization_decides_how_much_of_the_image_is_in_the_features(defaults: Params, initialization: str) -> None:
    torch.manual_seed(0)
    model = LineCNNTransformer(defaults.model.replace(initialization=initialization)).eval()
    images, _ = lines_of(896)
    spread = float(model.line_cnn.scan(images / 255).detach().std(dim=1).mean())
    assert (spread > 0.02) == (initialization == "fan_in")
