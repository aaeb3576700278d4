"""A picture, in whatever a program or a person keeps it → its brightness."""

import io
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from emnist_lines.common.errors import UserError, one_line
from emnist_lines.reading.number_formats import deep_colours, grey_of_array, grey_of_image

MAX_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", "JPEG2000", "PPM")
"""Formats of files that are read, as Pillow names them: none runs another program, none is a description of a page."""
SUFFIXES = frozenset(
    [
        ".png",
        ".apng",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".dib",
        ".gif",
        ".avif",
        ".avifs",
        ".jp2",
        ".j2k",
        ".jpc",
        ".jpf",
        ".jpx",
        ".j2c",
        ".pbm",
        ".pgm",
        ".ppm",
        ".pnm",
        ".pfm",
    ]
)
"""How the names of such files end."""
KINDS = "PNG, JPEG, WebP, TIFF, BMP or GIF"
"""The usual ones, for people."""
SMALL_COPY = 1
"""Bit of TIFF's tag NewSubfileType that marks a small copy of another page."""


def load(picture: Any, name: str = "the picture") -> NDArray[np.float32]:
    """A picture's brightness (H, W), 0 to 255, upright as its camera says. What is transparent becomes paper.

    Args:
        picture: a path, a file open for reading bytes, a Pillow image of any mode, or an array or a torch tensor of
            booleans, whole numbers or floats: (H, W), or (H, W, C) with 1 (grey), 2 (grey, opacity), 3 (RGB) or 4
            (RGBA) channels; a tensor's channels may also stand first.
        name: what to call it in errors.

    Raises:
        UserError: a file cannot be read, is no picture, is damaged, has several pages or more than 64 megapixels.
        ValueError: an array has another shape or type, or holds what is no number.
        TypeError: it is something else.
    """
    if isinstance(picture, np.ndarray):
        return grey_of_array(picture, name)
    if isinstance(picture, Image.Image):
        return _of_image(picture, name)
    if hasattr(picture, "detach") and hasattr(picture, "permute"):
        return grey_of_array(_of_tensor(picture), name)
    if isinstance(picture, (str, Path)):
        return _of_path(Path(picture), name)
    if hasattr(picture, "read"):
        return _of_file(picture, name)
    raise TypeError(
        "a picture is a path, a file open for reading bytes, a Pillow image, a NumPy array or a torch tensor, "
        f"not {'None' if picture is None else f'a {type(picture).__name__}'}"
    )


def _of_tensor(tensor: Any) -> NDArray[np.generic]:
    """A torch tensor's values, channels last."""
    values = tensor.detach().cpu()
    if values.dtype.is_floating_point:
        values = values.float()  # NumPy has no bfloat16
    array: NDArray[np.generic] = values.numpy()
    if array.ndim == 3 and array.shape[0] in (1, 2, 3, 4):
        array = np.moveaxis(array, 0, 2)
    return array


def _of_path(path: Path, name: str) -> NDArray[np.float32]:
    try:
        with path.open("rb") as file:
            return _of_file(file, name)
    except FileNotFoundError:
        raise UserError(f"{name} does not exist; give the path of a picture") from None
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        raise UserError(f"{name} cannot be read as a picture ({told}); give a whole one") from None


def _of_file(file: BinaryIO, name: str) -> NDArray[np.float32]:
    """The picture in an open file. Given a path, Pillow would map a raw TIFF and turn it wrong."""
    try:
        if not file.seekable():
            file = io.BytesIO(file.read())
        start = file.tell()
        image = _opened(file)
        if _pages(image) > 1:
            raise UserError(f"{name} holds {_pages(image)} pages; save each as a picture of its own")
        deep = deep_colours(image, lambda: (file.seek(start), _opened(file))[1])
        return _of_image(image, name) if deep is None else grey_of_array(deep, name)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(f"{name} has more than {MAX_PIXELS // 10**6} megapixels; make it smaller") from None
    except UnidentifiedImageError:
        raise UserError(f"{name} is no picture; give a {KINDS} file") from None
    except Exception as error:  # decoders trust the numbers that a file states, and stumble in many ways
        told = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        raise UserError(f"{name} cannot be read as a picture ({told}); give a whole one") from None


def _opened(file: BinaryIO) -> Image.Image:
    """An image whose pixels are not loaded yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the limit here is lower than Pillow's; odd metadata is no concern
        image = Image.open(file, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    return image


def _pages(image: Image.Image) -> int:
    """How many pages a TIFF holds; small copies of others do not count, nor do an animation's pictures."""
    count = getattr(image, "n_frames", 1) if isinstance(image, TiffImageFile) else 1
    if count == 1:
        return 1
    pages = 0
    for number in range(count):
        image.seek(number)
        pages += not int(image.tag_v2.get(254, 0)) & SMALL_COPY  # type: ignore[attr-defined]
    image.seek(0)
    return max(pages, 1)


def _of_image(image: Image.Image, name: str) -> NDArray[np.float32]:
    """A Pillow image's brightness; a file of the caller's that is not loaded yet is not mapped into memory."""
    filename = getattr(image, "filename", "")
    mapped = isinstance(image, TiffImageFile) and bool(image.tile) and bool(filename)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if mapped:
                image.filename = ""  # type: ignore[attr-defined]
            image.load()
        finally:
            if mapped:
                image.filename = filename  # type: ignore[attr-defined]
        return grey_of_image(ImageOps.exif_transpose(image), name)
