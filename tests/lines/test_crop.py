"""A crop keeps what the encoder sees of a line. That no feature changes is tested with the network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emnist_lines.lines.crop import COLUMNS_PER_STEP, HEIGHT, REACH, crop_width


@pytest.mark.parametrize(
    ("width", "full_width", "step", "columns"),
    [
        (28, 896, 8, 64),  # 28 + 32 = 60
        (32, 896, 8, 64),
        (33, 896, 8, 72),
        (28, 896, 64, 64),
        (33, 896, 64, 128),
        (864, 896, 8, 896),
        (865, 896, 8, 896),
        (896, 896, 64, 896),
        (28, 280, 280, 280),
        (28, 84, 64, 64),
        (28, 84, 100, 84),
    ],
)
def test_known_crops(width: int, full_width: int, step: int, columns: int) -> None:
    assert crop_width(width, full_width, step) == columns


@given(st.integers(1, 896), st.integers(0, 900), st.integers(1, 14).map(lambda n: n * COLUMNS_PER_STEP))
def test_any_crop_keeps_the_text_and_what_lies_in_reach(width: int, paper: int, step: int) -> None:
    full = max(width + paper, HEIGHT)
    columns = crop_width(width, full, step)
    assert min(width + REACH, full) <= columns <= full
    assert columns == full or columns % step == 0
    assert columns - (width + REACH) < max(step, HEIGHT)  # and no more than it has to
    assert columns >= HEIGHT
