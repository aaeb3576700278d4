"""How much of a line's image the encoder needs."""

HEIGHT = 28
"""Rows of a line's image."""
COLUMNS_PER_STEP = 8
"""Image columns between two neighbouring features of the encoder's last convolution (three strides of 2)."""
REACH = 32
"""Columns behind the text that the features of its last window can still see."""


def crop_width(width: int, full_width: int, step: int) -> int:
    """Columns to keep of the image of a line, so that the features of its windows stay as they are.

    The convolutions before the last see at most 30 columns to the right of their centre, so 32 columns of paper
    behind the text keep the image's edge out of sight. Rounded up to a multiple of `step`, so that few shapes occur.

    Args:
        width: columns that the text takes.
        full_width: columns of the whole image.
        step: columns.
    """
    wanted = -(-(width + REACH) // step) * step
    return min(max(wanted, HEIGHT), full_width)
