"""Gray levels of what Pillow has decoded: 0 is black, 255 is white, paper is white."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ctckit.recognizer.png import UnreadableError

GrayArray = npt.NDArray[np.uint8]

_MIN_IS_WHITE = 0
_PHOTOMETRIC, _BITS, _SAMPLE_FORMAT, _UNSIGNED = 262, 258, 339, 1

_ORIENTED = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: a.T[:, ::-1],
    7: lambda a: a.T[::-1, ::-1],
    8: lambda a: a.T[::-1],
}


def gray_of(image: Image.Image) -> GrayArray:
    """Return the ITU-R 601 luma of a decoded image on white paper, uint8 of shape (H, W).

    16 bits are scaled over their full range, fewer bits in 16 (12-bit TIFF) over theirs. 32-bit
    integers and floats: see `gray_of_values`.

    Raises
    ------
    UnreadableError : float values that are not finite
    """
    if image.mode.startswith("I;16"):
        return gray_of_deep(np.asarray(image), image)
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        tags = _tags(image)
        if image.mode == "I" and _first(tags.get(_SAMPLE_FORMAT), 1) == _UNSIGNED:
            # Pillow puts unsigned values into a signed array
            values = values.view(np.uint32)
        gray = gray_of_values(values)
        return 255 - gray if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE else gray
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return _on_paper(np.asarray(image.convert("L")), np.asarray(image.getchannel("A")))
    if image.mode not in ("1", "L", "RGB"):
        # By way of RGB, since Pillow knows no other way from CMYK, LAB and palettes with alpha
        image = image.convert("RGB")
    return np.array(image.convert("L"))


def gray_of_deep(values: npt.NDArray[Any], image: Image.Image) -> GrayArray:
    """Return 16-bit (or 12-bit) gray as 8 bits: black stays 0, the highest value becomes 255."""
    tags = _tags(image)
    highest = (1 << _first(tags.get(_BITS), 16)) - 1
    # In 32 bits the sum cannot overflow; rounded to nearest
    gray = ((values.astype(np.uint32) * 255 + highest // 2) // highest).astype(np.uint8)
    return 255 - gray if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE else gray


def gray_of_values(values: npt.NDArray[Any]) -> GrayArray:
    """Return 32-bit values as gray: floats within 0..1 are parts of white, values within 0..255
    are gray levels, and any other range is stretched to 0..255, its least value black.

    An image of one value outside these ranges is blank paper, 255.

    Raises
    ------
    UnreadableError : a value that is not finite
    """  # noqa: D205
    if not np.isfinite(values).all():
        raise UnreadableError("it holds values that are not finite")
    low, high = float(values.min()), float(values.max())
    wide = values.astype(np.float64)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        wide *= 255
    elif low < 0 or high > 255:
        if low == high:
            return np.full(values.shape, 255, np.uint8)
        wide -= low
        wide *= 255
        wide /= high - low
    return np.rint(wide).astype(np.uint8)


def keyed(gray: GrayArray, colours: npt.NDArray[Any], key: tuple[int, ...]) -> GrayArray:
    """Return `gray` with white where `colours`, (H, W) or (H, W, channels), are `key`."""
    hit = colours == (key[0] if colours.ndim == 2 else np.asarray(key))
    gray[hit if colours.ndim == 2 else hit.all(axis=-1)] = 255
    return gray


def oriented(gray: GrayArray, orientation: object) -> GrayArray:
    """Return the image turned as its EXIF orientation, 1 to 8, asks; other values ask nothing."""
    turn = _ORIENTED.get(orientation) if isinstance(orientation, int) else None
    return gray if turn is None else np.ascontiguousarray(turn(gray))


def orientation_of(exif: bytes | None) -> object:
    """Return the orientation that an EXIF block holds; None where it has none or is unsound."""
    if not exif:
        return None
    block = Image.Exif()
    try:
        block.load(exif)
        return block.get(0x0112)
    except Exception:  # a broken block costs the orientation, not the image
        return None


def _on_paper(gray: GrayArray, alpha: GrayArray) -> GrayArray:
    # Luma is linear, so it may be mixed with the paper instead of each colour; it fits 16 bits
    opaque = alpha.astype(np.uint16)
    return ((gray * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)


def _tags(image: Image.Image) -> dict[int, Any]:
    tags = getattr(image, "tag_v2", None)
    return {} if tags is None else dict(tags)


def _first(value: object, otherwise: int) -> int:
    if isinstance(value, tuple):
        value = value[0] if value else otherwise
    return value if isinstance(value, int) else otherwise
