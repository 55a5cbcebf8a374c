"""Images: found below a folder, read in gray from every mode and depth, refused when damaged."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from ctckit import CtckitError
from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer import images as module
from ctckit.recognizer.folders import IMAGE_SUFFIXES, TRAINING_FILES, ImageFile, find_images
from ctckit.recognizer.images import MAX_PIXELS, InvalidImageError, read_image

Array = npt.NDArray[Any]
HANDWRITING = Path(__file__).parents[2].parent / "shared" / "handwriting" / "test"
H, W = 13, 37


@pytest.fixture
def gray() -> Array:
    """Return gray levels (H, W), with 0 and 255 among them."""
    levels = np.random.default_rng(1).integers(0, 256, (H, W), dtype=np.uint8)
    levels[0, 0], levels[0, 1] = 0, 255
    return levels


@pytest.fixture
def rgb() -> Array:
    return np.random.default_rng(2).integers(0, 256, (H, W, 3), dtype=np.uint8)


def saved(image: Image.Image | Array, kind: str = "PNG", **options: Any) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    data = kind + content
    return struct.pack(">I", len(content)) + data + struct.pack(">I", zlib.crc32(data))


def png(header: tuple[int, ...], *chunks: bytes, rows: bytes) -> bytes:
    """Return a PNG by hand; header: width, height, depth, colour, interlace."""
    width, height, depth, colour, interlace = header
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + start + b"".join(chunks) + pixels + chunk(b"IEND")


def with_chunk(data: bytes, *chunks: bytes) -> bytes:
    """Return a PNG with chunks put in after its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def filtered(rows: Array) -> bytes:
    """Return the rows of a PNG, big-endian, each with filter 0."""
    rows = rows.astype(rows.dtype.newbyteorder(">"))
    return b"".join(b"\0" + row.tobytes() for row in rows)


def tiff(
    pixels: bytes, size: tuple[int, int], order: str = "<", tags: dict[int, Any] | None = None
) -> bytes:
    """Return a TIFF by hand: header, then tags, then the pixels in one strip."""
    width, height = size
    values: dict[int, Any] = {
        256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: height,
        279: len(pixels), **(tags or {}),
    }  # fmt: skip
    start = 8 + 2 + 12 * len(values) + 4
    extra, entries = b"", b""
    for tag in sorted(values):
        value = values[tag]
        if isinstance(value, tuple):
            where = start + len(extra)
            entries += struct.pack(order + "HHII", tag, 3, len(value), where)
            extra += struct.pack(f"{order}{len(value)}H", *value)
        else:
            entries += struct.pack(order + "HHI", tag, 4, 1)
            entries += b"STRP" if tag == 273 else struct.pack(order + "I", value)
    entries = entries.replace(b"STRP", struct.pack(order + "I", start + len(extra)))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark + struct.pack(order + "IH", 8, len(values)) + entries + bytes(4) + extra + pixels
    )  # fmt: skip


def luma(rgb: Array) -> Array:
    return rgb.astype(np.float64) @ [0.299, 0.587, 0.114]


def assert_near(found: Array, expected: Array, tolerance: float = 1.0) -> None:
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found - expected.astype(np.float64)).max() <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_gray_stays(gray: Array, kind: str) -> None:
    found = read_image(saved(gray, kind))
    np.testing.assert_array_equal(found, gray)
    assert found.flags.c_contiguous
    assert found.flags.writeable


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_rgb_is_luma(rgb: Array, kind: str) -> None:
    assert_near(read_image(saved(rgb, kind)), np.rint(luma(rgb)))


def test_opencv_and_pillow_agree(rgb: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(rgb)
    fast = read_image(data)
    monkeypatch.setattr(module, "_MAX_SIDE", 1)
    monkeypatch.delattr(cv2, "imdecode")
    assert_near(read_image(data), fast.astype(np.float64))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("compression", ["raw", "group4", "packbits"])
def test_one_bit(gray: Array, kind: str, compression: str) -> None:
    bits = gray > 100
    options = {} if kind == "PNG" else {"compression": compression}
    found = read_image(saved(Image.fromarray(bits), kind, **options))
    np.testing.assert_array_equal(found, np.where(bits, 255, 0))


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("key", [None, 1])
def test_gray_png_of_few_bits(depth: int, key: int | None) -> None:
    highest = (1 << depth) - 1
    levels = np.arange(8 * 3).reshape(3, 8) % (highest + 1)
    bits = ((levels[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(3, -1)
    rows = filtered(np.packbits(bits.astype(np.uint8), axis=1))
    chunks = [] if key is None else [chunk(b"tRNS", struct.pack(">H", key))]
    expected = levels * 255 // highest
    if key is not None:
        expected[levels == key] = 255
    np.testing.assert_array_equal(
        read_image(png((8, 3, depth, 0, 0), *chunks, rows=rows)), expected
    )


@pytest.mark.parametrize("depth", [1, 4, 8])
def test_palette(depth: int) -> None:
    colours = np.array([[0, 0, 0], [255, 0, 0]] + [[0, 255, 0]] * 14, np.uint8)
    indices = np.arange(20).reshape(2, 10).astype(np.uint8) % 2
    image = Image.fromarray(indices, "P")
    image.putpalette(colours[: min(16, 1 << depth)].tobytes())
    plain = read_image(saved(image, bits=depth))
    np.testing.assert_array_equal(plain, np.where(indices == 1, 76, 0))
    np.testing.assert_array_equal(read_image(saved(image, "TIFF")), plain)
    part = read_image(saved(image, bits=depth, transparency=bytes([0, 128])))
    np.testing.assert_array_equal(part, np.where(indices == 1, 165, 255))
    one = read_image(saved(image, bits=depth, transparency=1))
    np.testing.assert_array_equal(one, np.where(indices == 1, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_lies_on_white_paper(gray: Array, rgb: Array, kind: str) -> None:
    alpha = np.roll(gray, 5)
    part = alpha / 255
    la = Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)])
    assert_near(read_image(saved(la, kind)), gray * part + 255 * (1 - part))
    rgba = read_image(saved(np.dstack([rgb, alpha]), kind))
    assert_near(rgba, luma(rgb) * part + 255 * (1 - part))


def test_transparent_colour(gray: Array, rgb: Array) -> None:
    gray[gray == 7] = 8
    gray[2, 3] = 7
    found = read_image(saved(gray, transparency=7))
    np.testing.assert_array_equal(found, np.where(gray == 7, 255, gray))
    rgb[1, 1] = (1, 2, 3)
    found = read_image(saved(rgb, transparency=(1, 2, 3)))
    assert found[1, 1] == 255
    found[1, 1] = np.rint(luma(rgb)[1, 1])
    assert_near(found, luma(rgb))


def test_16_bit_gray_takes_the_full_range() -> None:
    values = np.array([[0, 128, 129, 257, 258], [32767, 32768, 65406, 65407, 65535]], np.uint16)
    expected = np.rint(values / 257)
    np.testing.assert_array_equal(read_image(saved(values)), expected)
    np.testing.assert_array_equal(read_image(saved(values, "TIFF")), expected)
    for order in "<>":
        pixels = values.astype(order + "u2").tobytes()
        data = tiff(pixels, (5, 2), order, {258: 16})
        np.testing.assert_array_equal(read_image(data), expected)
    inverted = tiff(values.tobytes(), (5, 2), "<", {258: 16, 262: 0})
    np.testing.assert_array_equal(read_image(inverted), 255 - expected)
    keyed = read_image(png((5, 2, 16, 0, 0), chunk(b"tRNS", b"\x80\0"), rows=filtered(values)))
    expected[values == 32768] = 255
    np.testing.assert_array_equal(keyed, expected)


def test_12_bit_tiff_takes_its_own_range() -> None:
    pixels = bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x10])  # 0, 4095, 2048, 16
    found = read_image(tiff(pixels, (4, 1), "<", {258: 12}))
    np.testing.assert_array_equal(found, [[0, 255, 128, 1]])


@pytest.mark.parametrize("alpha", [False, True])
def test_16_bit_rgb_png(alpha: bool) -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(0, 1 << 16, (H, W, 4 if alpha else 3), dtype=np.uint16)
    part = values[..., 3] / 65535 if alpha else 1
    expected = luma(values[..., :3] / 257) * part + 255 * (1 - part)
    found = read_image(png((W, H, 16, 6 if alpha else 2, 0), rows=filtered(values)))
    assert_near(found, expected, 2)
    if not alpha:
        key = chunk(b"tRNS", values[3, 4].astype(">u2").tobytes())
        assert read_image(png((W, H, 16, 2, 0), key, rows=filtered(values)))[3, 4] == 255


def test_16_bit_gray_and_alpha_png() -> None:
    values = np.array([[[0, 65535], [0, 0], [65535, 65535], [0, 32768]]], np.uint16)
    found = read_image(png((4, 1, 16, 4, 0), rows=filtered(values)))
    np.testing.assert_array_equal(found, [[0, 255, 255, 127]])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.4, 255.0], [0, 100, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 500.0, 1000.0], [0, 128, 255]),
        ([700.0, 700.0, 700.0], [255, 255, 255]),
        ([0.0, 0.0, 0.0], [0, 0, 0]),
    ],
)
def test_float_tiff(values: list[float], expected: list[int]) -> None:
    data = saved(np.array([values], np.float32), "TIFF")
    np.testing.assert_array_equal(read_image(data), [expected])


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("i4", [0, 1, 255], [0, 1, 255]),
        ("i4", [-100, 0, 100], [0, 128, 255]),
        ("u4", [0, 1 << 31, (1 << 32) - 1], [0, 128, 255]),
        ("i2", [-32768, 0, 32767], [0, 128, 255]),
        ("f4", [0.25, 0.5, 1], [64, 128, 255]),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_wide_tiff(kind: str, values: list[float], expected: list[int], order: str) -> None:
    if (kind, order) == ("u4", ">"):
        pytest.skip("Pillow reads unsigned 32 bits in little-endian TIFF only")
    array = np.array([values], order + kind)
    sample = {"u": 1, "i": 2, "f": 3}[kind[0]]
    tags = {258: 8 * array.itemsize, 339: sample}
    found = read_image(tiff(array.tobytes(), (3, 1), order, tags))
    np.testing.assert_array_equal(found, [expected])


def test_float_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidImageError, match=r"got 'f' \(it holds values that are not finite\)"):
        read_image(saved(np.array([[0, np.nan]], np.float32), "TIFF"), "f")


def without_adobe(data: bytes) -> bytes:
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def test_cmyk(rgb: Array) -> None:
    flat = np.repeat(np.repeat(rgb[:2, :3], 16, 0), 16, 1)
    ink = np.dstack([255 - flat, np.zeros(flat.shape[:2], np.uint8)])
    image = Image.fromarray(ink, "CMYK")
    assert_near(read_image(saved(image, "TIFF")), luma(flat), 2)
    adobe = saved(image, "JPEG", quality=100)
    assert_near(read_image(adobe), luma(flat), 5)
    other = saved(Image.fromarray(255 - ink, "CMYK"), "JPEG", quality=100)
    assert_near(read_image(without_adobe(other)), luma(flat), 5)


def test_lab_tiff() -> None:
    colours = np.array([[[255, 0, 0], [0, 128, 0], [255, 255, 255], [0, 0, 0]]], np.uint8)
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    image = ImageCms.applyTransform(Image.fromarray(colours), to_lab)
    assert image is not None
    assert_near(read_image(saved(image, "TIFF")), luma(colours), 4)


def test_ycbcr_tiff(rgb: Array) -> None:
    flat = np.repeat(np.repeat(rgb[:2, :3], 16, 0), 16, 1)
    for compression in ("raw", "jpeg", "tiff_lzw"):
        image = Image.fromarray(flat).convert("YCbCr")
        options = {"quality": 100} if compression == "jpeg" else {}
        found = read_image(saved(image, "TIFF", compression=compression, **options))
        assert_near(found, luma(flat), 4)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg(mode: str, options: dict[str, Any]) -> None:
    wide = np.linspace(0, 255, 64)[None].repeat(40, 0)
    smooth = np.dstack([wide, wide[:, ::-1], wide / 2]).astype(np.uint8)
    image = Image.fromarray(smooth).convert(mode)
    assert_near(read_image(saved(image, "JPEG", quality=95, **options)), luma(smooth), 4)


def test_the_first_page_counts(gray: Array) -> None:
    more = [Image.fromarray(255 - gray), Image.fromarray(gray[:3])]
    data = saved(gray, "TIFF", save_all=True, append_images=more)
    np.testing.assert_array_equal(read_image(data), gray)


TURNED: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.transpose(a), 2),
    8: np.rot90,
    9: lambda a: a,
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("JPEG", {"quality": 100}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_exif_orientation(kind: str, options: dict[str, Any], orientation: int) -> None:
    corner = np.full((16, 32), 200, np.uint8)
    corner[:8, :8] = 10
    exif = Image.Exif()
    exif[0x0112] = orientation
    if orientation == 9 and "compression" in options:
        pytest.skip("libtiff writes no such orientation")
    found = read_image(saved(corner, kind, exif=exif, **options))
    assert found.flags.c_contiguous
    assert_near(found, TURNED[orientation](corner), 3)


def test_orientation_of_a_palette_png_and_of_broken_exif(gray: Array) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = Image.fromarray(gray).convert("P")
    np.testing.assert_array_equal(read_image(saved(palette, exif=exif)), np.rot90(gray, -1))
    for broken in (b"", b"II*\0", b"rubbish", b"MM\0*\xff\xff\xff\xff"):
        np.testing.assert_array_equal(
            read_image(with_chunk(saved(gray), chunk(b"eXIf", broken))), gray
        )


def test_interlaced_png() -> None:
    # Values by Adam7's own table, so that each pixel says where it lies
    levels = np.arange(11 * 9, dtype=np.uint8).reshape(9, 11)
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
    steps += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    for shape in ((9, 11), (1, 1), (2, 5)):
        part = levels[: shape[0], : shape[1]]
        for values in (part, part.astype(np.uint16) * 257):
            passes = [values[y::dy, x::dx] for x, y, dx, dy in steps]
            rows = b"".join(filtered(p) for p in passes if p.size)
            depth = 8 * values.itemsize
            data = png((shape[1], shape[0], depth, 0, 1), rows=rows)
            np.testing.assert_array_equal(read_image(data), part)


def test_other_chunks_change_and_say_nothing(
    gray: Array, capfd: pytest.CaptureFixture[str]
) -> None:
    chunks = [
        chunk(b"gAMA", struct.pack(">I", 1)),
        chunk(b"sRGB", b"\xff\xff"),
        chunk(b"iCCP", b"x\0\0rubbish"),
        chunk(b"acTL", b"1"),
        chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(1 << 23))),
        chunk(b"pHYs", b"1"),
        chunk(b"PLTE", bytes(3)),
    ]
    np.testing.assert_array_equal(read_image(with_chunk(saved(gray), *chunks) + b"more"), gray)
    deep = with_chunk(saved(gray.astype(np.uint16) * 257), *chunks)
    np.testing.assert_array_equal(read_image(deep), gray)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (64, 20_000), (20_000, 1)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_small_and_wide(kind: str, shape: tuple[int, int]) -> None:
    levels = np.full(shape, 77, np.uint8)
    np.testing.assert_array_equal(read_image(saved(levels, kind)), levels)


def test_a_side_longer_than_opencv_takes() -> None:
    levels = np.full((1, (1 << 20) + 1), 9, np.uint8)
    np.testing.assert_array_equal(read_image(saved(levels)), levels)


def test_files_are_known_by_content_and_named(tmp_path: Path, gray: Array) -> None:
    path = tmp_path / "is_png.JPG"
    path.write_bytes(saved(gray))
    np.testing.assert_array_equal(read_image(path), gray)
    np.testing.assert_array_equal(read_image(str(path)), gray)
    path.write_bytes(b"x")
    with pytest.raises(InvalidImageError, match=r"got '.*is_png.JPG' \(another kind of file\)"):
        read_image(path)
    with pytest.raises(InvalidImageError, match=r"got 'words/7' \("):
        read_image(path, "words/7")


def few_rows(depth: int) -> bytes:
    rows = np.zeros((2, 5), np.uint8 if depth == 8 else np.uint16)
    return png((5, 3, depth, 0, 0), rows=filtered(rows))


WRONG = [
    (b"", r"image must be PNG, JPEG or TIFF, got 'x' \(an empty file\); convert it to PNG"),
    (b"GIF89a", r"\(a GIF\)"),
    (b"BM....", r"\(a BMP\)"),
    (b"RIFF....WEBPVP8", r"\(a WebP\)"),
    (b"%PDF-1", r"\(a PDF\)"),
    (b"\0\0\0\x18ftypheic", r"\(a HEIC, AVIF or video\)"),
    (b"version https://git-lfs.github.com/spec/v1", r"\(a Git LFS pointer\)"),
    (b"hello", r"\(another kind of file\)"),
    (b"\x89PNG", r"\(it ends too early\)"),
    (b"\x89PNG\r\n\x1a\n", r"sound PNG, JPEG or TIFF, got 'x' \(it ends too early\); export it"),
    (png((0, 1, 8, 0, 0), rows=b"\0"), "its header is no PNG header"),
    (png((1, 1, 3, 0, 0), rows=b"\0\0"), "its header is no PNG header"),
    (b"\x89PNG\r\n\x1a\n" + chunk(b"IEND"), "its header is no PNG header"),
    (few_rows(8)[:33] + chunk(b"IEND"), "it holds no pixels"),
    (few_rows(8), "its pixels cannot be decoded"),
    (few_rows(16), "its pixels are too few"),
    (few_rows(16)[:33] + chunk(b"IDAT", b"rubbish") + chunk(b"IEND"), "cannot be inflated"),
    (b"\xff\xd8\xff\xe0", r"\(it "),
    (b"II*\0\x08\0\0\0\0\0", r"\(it is damaged: "),
    (tiff(b"", (0, 0)), r"\(it is damaged: "),
    (tiff(b"\0", (1, 1), tags={258: 7}), r"\(it is damaged: unknown pixel mode\)"),
    (tiff(b"\0", (9, 1)), r"\(it ends too early\)"),
]


@pytest.mark.parametrize(("data", "message"), WRONG, ids=range(len(WRONG)))
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidImageError, match=message):
        read_image(data, "x")


BOMBS = [
    png((1 << 15, (1 << 13) + 1, 1, 0, 0), rows=b""),
    saved(np.zeros((1, 1), np.uint8), "JPEG"),
    tiff(b"", (1 << 30, 1 << 30)),
]


@pytest.mark.parametrize("data", BOMBS, ids=["png", "jpeg", "tiff"])
def test_bombs_are_refused_before_they_are_decoded(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if data.startswith(b"\xff\xd8"):
        at = data.index(b"\xff\xc0") + 5
        data = data[:at] + b"\xff\xdc\xff\xdc" + data[at + 4 :]
    monkeypatch.delattr(cv2, "imdecode")
    message = rf"at most {MAX_PIXELS} pixels, got 'b' with \d+ x \d+; scale it down or cut it"
    with pytest.raises(InvalidImageError, match=message):
        read_image(data, "b")


def test_larger_than_pillow_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Image.open warns from a number of pixels on, and refuses twice as many."""
    levels = np.full((30, 50), 200, np.uint8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for kind in ("PNG", "JPEG", "TIFF"):
        assert (read_image(saved(levels, kind)) == 200).all()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    for data in (saved(levels), saved(levels.astype(np.uint16)), saved(levels, "JPEG")):
        assert read_image(data).shape == (30, 50)
    with pytest.raises(InvalidImageError, match=r"\(a TIFF may have at most 1000 pixels\); exp"):
        read_image(saved(levels, "TIFF"))


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"image must be an existing file, got '.*none.png'"):
        read_image(tmp_path / "none.png")
    with pytest.raises(InvalidImageError, match=r"must be a readable file, got '.*' \(Is a dir"):
        read_image(tmp_path)


def test_files_that_are_too_large(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InvalidImageError, match=r"at most 536870912 bytes, got .* with 1099511627"):
        read_image(path)


def test_large_images_take_turns(gray: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGE", 1)
    files = [saved(gray), saved(gray, "JPEG"), saved(gray, "TIFF"), saved(gray.astype(np.uint16))]
    with ThreadPoolExecutor(4) as pool:
        with module._one_large:
            begun = [pool.submit(read_image, file) for file in files]
            assert not wait(begun, 0.2).done
        assert [one.result().shape for one in begun] == [gray.shape] * 4


def kinds() -> dict[str, bytes]:
    rng = np.random.default_rng(3)
    colours = rng.integers(0, 256, (24, 40, 3), dtype=np.uint8) // 8 * 8
    gray = colours[..., 0].copy()
    return {
        "gray png": saved(gray),
        "rgb png": saved(colours),
        "palette png": saved(Image.fromarray(gray).convert("P")),
        "deep png": saved(gray.astype(np.uint16) * 257),
        "jpeg": saved(colours, "JPEG"),
        "progressive": saved(colours, "JPEG", progressive=True),
        "tiff": saved(colours, "TIFF"),
        "tiff, tags first": tiff(gray.tobytes(), (40, 24)),
        "lzw": saved(colours, "TIFF", compression="tiff_lzw"),
        "deflate, tags first": tiff(zlib.compress(gray.tobytes()), (40, 24), tags={259: 8}),
    }


@pytest.mark.parametrize("kind", kinds())
def test_cut_files_are_refused_or_whole(kind: str) -> None:
    data = kinds()[kind]
    whole = read_image(data)
    refused = 0
    for length in range(0, len(data), max(1, len(data) // 400)):
        try:
            found = read_image(data[:length])
        except InvalidImageError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, whole)
            assert length > 0.99 * len(data) - 12
    assert refused > 300


@pytest.mark.parametrize("kind", kinds())
def test_damaged_files_are_refused_or_give_an_image(kind: str) -> None:
    data = kinds()[kind]
    whole = read_image(data)
    rng = np.random.default_rng(4)
    for _ in range(300):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 5)):
            damaged[at] ^= int(rng.integers(1, 256))
        try:
            found = read_image(bytes(damaged))
        except InvalidImageError:
            continue
        assert found.dtype == np.uint8
        assert found.ndim == 2
        if kind.endswith("png"):
            np.testing.assert_array_equal(found, whole)


def test_damaged_png_says_nothing_on_stderr(gray: Array, capfd: pytest.CaptureFixture[str]) -> None:
    data = saved(gray)
    for at in range(8, len(data)):
        damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(InvalidImageError):
            read_image(damaged)
        with pytest.raises(InvalidImageError):
            read_image(data[:at])
    assert capfd.readouterr().err == ""


def test_warnings_of_pillow_stay_away_and_others_come(gray: Array) -> None:
    # Two heights where one belongs: Pillow warns, and reads on
    data = tiff(gray.tobytes(), (W, H), tags={278: (H, H)})
    np.testing.assert_array_equal(read_image(data), gray)
    with pytest.warns(UserWarning, match="too many entries"):
        Image.open(io.BytesIO(data))
    with pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", stacklevel=1)


def test_many_threads() -> None:
    files = list(kinds().values())
    files.append(tiff(bytes(H * W), (W, H), tags={278: (H, H)}))
    expected = [read_image(data) for data in files]
    jobs = [n % len(files) for n in range(600)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: read_image(files[n]), jobs))
    for n, image in zip(jobs, found, strict=True):
        np.testing.assert_array_equal(image, expected[n])


def test_import_of_ctckit_loads_none_of_it() -> None:
    code = "import sys, ctckit; print([m for m in ('cv2', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def ids(folder: Path) -> list[str]:
    return [image.id for image in find_images(folder)]


def test_find_images(tmp_path: Path) -> None:
    touch(tmp_path, "10.png", "9.PNG", "1.jpg", "b/x.jpeg", "b/c/y.tif", "b/z.TIFF", "a 2.png")
    touch(tmp_path, "a 10.png", "01.jpg", "x.txt", "labels.csv", "png", ".png", ".h/a.png")
    touch(tmp_path, ".hidden.png", "d.png/in.png", "ü.png", "b/word.gt.txt", "x.gif")
    found = find_images(tmp_path)
    assert [image.id for image in found] == [
        "01.jpg", "1.jpg", "9.PNG", "10.png", "a 2.png", "a 10.png", "b/c/y.tif", "b/x.jpeg",
        "b/z.TIFF", "d.png/in.png", "ü.png",
    ]  # fmt: skip
    assert found[0] == ImageFile("01.jpg", tmp_path / "01.jpg")
    assert all(image.path == tmp_path / image.id for image in found)
    assert find_images(str(tmp_path)) == found
    assert all(suffix == suffix.lower() for suffix in IMAGE_SUFFIXES)


def test_a_training_is_passed_over(tmp_path: Path) -> None:
    """Its picture is no image of text, wherever it lies; images beside it are."""
    touch(tmp_path, "a.png", "curve.png", "runs/curve.png", "runs/summary.json")
    for folder, sign in [("m", "checkpoint.safetensors"), ("n", "model.safetensors")]:
        touch(tmp_path, *(f"{folder}/{name}" for name in ("curve.png", "corpus.txt", sign)))
    assert ids(tmp_path) == ["a.png", "curve.png", "n/curve.png", "runs/curve.png"]
    touch(tmp_path, "n/summary.json", "runs/curve.csv", "runs/b.png", "m/words/c.png")
    assert ids(tmp_path) == ["a.png", "curve.png", "m/words/c.png", "runs/b.png"]
    assert ids(tmp_path / "runs") == ["b.png"]
    with pytest.raises(InvalidValueError, match="folder must hold images"):
        find_images(tmp_path / "n")


def test_what_a_training_writes() -> None:
    pytest.importorskip("safetensors")
    from ctckit.recognizer.checkpoint import CHECKPOINT, MODEL
    from ctckit.recognizer.curve import CURVE, PICTURE, SUMMARY
    from ctckit.recognizer.language_files import CORPUS, WORD_CHARACTERS

    names = {CHECKPOINT, MODEL, CURVE, PICTURE, SUMMARY, CORPUS, WORD_CHARACTERS}
    assert names == TRAINING_FILES


def test_links(tmp_path: Path) -> None:
    touch(tmp_path, "data/a.png", "more/b.png")
    (tmp_path / "data" / "loop").symlink_to(tmp_path)
    (tmp_path / "data" / "self").symlink_to("self")
    (tmp_path / "data" / "self.png").symlink_to("self.png")
    (tmp_path / "data" / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "data" / "link.png").symlink_to("a.png")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "more")
    os.mkfifo(tmp_path / "data" / "pipe.png")
    names = ["a.png", "gone.png", "link.png", "more/b.png", "self.png"]
    inside = [f"data/{name}" for name in names]
    assert ids(tmp_path) == [*inside, "more/b.png"]
    assert ids(tmp_path / "data") == names
    with pytest.raises(NotFoundError, match=r"gone\.png"):
        read_image(tmp_path / "data" / "gone.png")
    with pytest.raises(InvalidImageError, match=r"self\.png"):
        read_image(tmp_path / "data" / "self.png")


def test_links_that_lead_to_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = "abcdefgh"
    for name in names:
        touch(tmp_path, f"{name}/{name}.png")
    for one in names:
        for other in names.replace(one, ""):
            (tmp_path / one / f"to-{other}").symlink_to(tmp_path / other)
    found = ids(tmp_path)
    through = ["a/to-b/b.png", "a/to-c/c.png", "a/to-d/d.png", "a/to-e/e.png"]
    through += ["a/to-f/f.png", "a/to-g/g.png", "a/to-h/h.png", "b/to-a/a.png"]
    assert found == sorted([*(f"{name}/{name}.png" for name in names), *through])

    class Reversed:
        def __init__(self, path: str) -> None:
            with real(path) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> Any:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None:
            pass

    real = os.scandir
    monkeypatch.setattr(os, "scandir", Reversed)
    assert ids(tmp_path) == found


def test_folders_below_links(tmp_path: Path) -> None:
    touch(tmp_path, "out/a/x.png", "out/y.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "all").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "some").symlink_to(tmp_path / "out" / "a")
    assert ids(tmp_path / "in") == ["all/y.png", "some/x.png"]


def test_wrong_folders(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.png", "b/notes.txt", "b/.x.png")
    with pytest.raises(NotFoundError, match=r"folder must be an existing folder, got '.*none'; ch"):
        find_images(tmp_path / "none")
    with pytest.raises(InvalidValueError, match=r"got the file '.*x.png'; give the .* '.*a'$"):
        find_images(tmp_path / "a" / "x.png")
    with pytest.raises(InvalidValueError, match=r"got the file '.*notes.txt'; give a folder of im"):
        find_images(tmp_path / "b" / "notes.txt")
    with pytest.raises(
        InvalidValueError, match=r"must hold images \(.jpeg, .*got none below '.*b'"
    ):
        find_images(tmp_path / "b")


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "locked/b.png")
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    message = r"folder must be readable, got '.*locked' \(Permission denied\); check its rights"
    with pytest.raises(InvalidValueError, match=message):
        find_images(tmp_path)


def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (Path(tmp_path) / os.fsdecode(b"b\xff.txt")).touch()
    assert ids(tmp_path) == ["a.png"]
    (Path(tmp_path) / os.fsdecode(b"b\xff.png")).touch()
    with pytest.raises(CtckitError, match=r"valid Unicode, got 'b\\udcff\.png' in .*; rename it"):
        find_images(tmp_path)
    with pytest.raises(InvalidImageError, match=r"b\\udcff\.png' \(an empty file\)"):
        read_image(Path(tmp_path) / os.fsdecode(b"b\xff.png"))


@pytest.mark.skipif(
    not (HANDWRITING / "labels.csv").is_file(), reason=f"handwriting is not here: no {HANDWRITING}"
)
def test_real_images() -> None:
    found = find_images(HANDWRITING)
    assert len(found) == 1643
    for image in found[::16]:
        with Image.open(image.path) as opened:
            np.testing.assert_array_equal(read_image(image.path), np.asarray(opened.convert("L")))
