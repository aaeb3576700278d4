"""The numbers that pictures are kept as → brightness from 0 to 255."""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DEPTHS = (1, 255, 1023, 4095, 16383, 65535)
"""The highest values of the usual number formats."""
WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Of red, green and blue in brightness (ITU-R BT.601)."""
OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""Of the two bytes of a number."""


def grey_of_image(image: Image.Image, name: str) -> NDArray[np.float32]:
    """(H, W) brightness, 0 to 255, of an image of any mode. What is transparent becomes paper.

    Raises:
        ValueError: it has no pixels, or holds what is no number.
    """
    if 0 in image.size:
        raise ValueError(f"{name} is no picture: it has no pixels")
    if image.mode.startswith(("I", "F")):
        return grey_of_array(np.asarray(image), name)
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return _on_paper(
            np.asarray(rgba.convert("RGB").convert("L"), dtype=np.float32),
            np.asarray(rgba.getchannel("A"), dtype=np.float32) / np.float32(255),
        )
    if image.mode in ("LAB", "HSV", "RGBX"):
        image = image.getchannel("L") if image.mode == "LAB" else image.convert("RGB")
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    return grey * 255 if image.mode == "L" and grey.max() == 1 else grey


def grey_of_array(array: NDArray[np.generic], name: str) -> NDArray[np.float32]:
    """(H, W) brightness, 0 to 255, of an array: see `picture_file.load`.

    Raises:
        ValueError: it has another shape or type, or holds what is no number.
    """
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or 0 in array.shape or channels > 4:
        raise ValueError(f"a picture has the shape (H, W) or (H, W, C) with 1 to 4 channels, not {array.shape}")
    if array.dtype.kind not in "buif":
        raise ValueError(f"a picture holds booleans, whole numbers or floats, not {array.dtype}")
    array = array.reshape(*array.shape[:2], channels)
    if array.dtype == np.uint8 and channels > 2:
        return grey_of_image(Image.fromarray(np.ascontiguousarray(array)), name)
    values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are no numbers; a picture is of finite ones")
    colours = _to_bytes(values[..., : channels - (channels in (2, 4))], array.dtype)
    grey = colours @ WEIGHTS if channels > 2 else colours[..., 0]
    if channels in (1, 3):
        return grey
    opacity = values[..., -1].clip(0, None)
    share = opacity / (_highest(opacity, array.dtype) or 1)
    return _on_paper(grey, share.astype(np.float32))


def _to_bytes(values: NDArray[np.float32], kind: np.dtype[np.generic]) -> NDArray[np.float32]:
    """Values on a scale from 0 to 255."""
    lowest = min(float(values.min()), 0.0)
    if lowest < 0:
        values = values - np.float32(lowest)
    highest = float(values.max()) if lowest < 0 else _highest(values, kind)
    scale = 255 / highest if highest else 1.0
    return values if scale == 1 else np.asarray(values.astype(np.float64) * scale, dtype=np.float32)


def _highest(values: NDArray[np.float32], kind: np.dtype[np.generic]) -> float:
    """What stands for white: the end of the smallest usual format, if at least half of it is used; else the maximum.

    So 8 or 10 bits in a file of 16 are as bright as in a file of their own.
    """
    highest = float(values.max())
    if kind == np.uint8:
        return 255.0 if highest != 1 else 1.0
    fitting = next((depth for depth in DEPTHS if highest <= depth), highest)
    return float(fitting) if highest > fitting / 2 else highest


def _on_paper(grey: NDArray[np.float32], opacity: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture before paper, where it is transparent: its own paper's colour; if it is ink alone, the other one."""
    if opacity.min() >= 1:
        return grey
    if opacity.mean() > 0.5:
        paper = float(np.median(grey[opacity > 0.5]))
    else:
        ink = float((grey * opacity).sum(dtype=np.float64) / max(float(opacity.sum(dtype=np.float64)), 1e-6))
        paper = 255.0 if ink < 128 else 0.0
    return np.add(grey * opacity, paper * (1 - opacity), dtype=np.float32)


def deep_colours(image: Image.Image, again: Callable[[], Image.Image]) -> NDArray[np.uint16] | None:
    """(H, W, C) values of 16 bits of a file in colour or with opacity, of which Pillow keeps the higher 8 bits.

    Where fewer bits are used than 16, those would be dark or nothing. The file is decoded a second time for the lower
    bits, with the bytes of each number in the other order.

    Args:
        image: opened, not loaded.
        again: opens the same file once more.

    Returns:
        None: the file keeps other numbers.
    """
    tiles = getattr(image, "tile", [])
    raw = next((str(a) for t in tiles for a in (t[3] if isinstance(t[3], tuple) else (t[3],)) if ";16" in str(a)), "")
    mode, _, order = raw.partition(";16")
    if mode not in ("LA", "RGB", "RGBA") or order not in OTHER_ORDER or image.mode not in ("RGB", "RGBA"):
        return None
    other = again()
    rawmode = f"{mode};16{OTHER_ORDER[order]}"
    if mode == "LA":  # Pillow knows but one order; the four bytes are read as if they were colours
        rawmode = "RGBA"
    other.tile = [  # type: ignore[attr-defined]
        (*t[:3], (rawmode, *t[3][1:]) if isinstance(t[3], tuple) else rawmode)
        for t in other.tile  # type: ignore[attr-defined]
    ]
    other.load()
    low = np.asarray(other).astype(np.uint16)
    if mode == "LA":
        return low[..., 0::2] * 256 + low[..., 1::2]
    return np.asarray(image).astype(np.uint16) * 256 + low
