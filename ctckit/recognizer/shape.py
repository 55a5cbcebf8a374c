"""The sizes of the recognizer's network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ctckit.errors import InvalidValueError

COLUMNS = 4
"""Columns of the image that a frame stands for; widths are multiples of it."""

_LIMITS = {
    "height": (8, 256),
    "classes": (2, 100_000),
    "channels": (1, 4096),
    "blocks": (0, 100),
    "kernel": (1, 101),
}


@dataclass(frozen=True)
class NetworkShape:
    """The sizes of a network, which its model file holds.

    Attributes
    ----------
    height : rows of the image, a multiple of 8
    classes : C, the blank included, which is the last
    stem : channels of the convolutions at a half, a quarter and an eighth of the height
    channels : of the gated blocks
    blocks : how many gated blocks
    kernel : frames that a gated block sees
    dropout : share of channels left out in training, 0 to 1
    """

    height: int = 32
    classes: int = 96
    stem: tuple[int, int, int] = (16, 48, 96)
    channels: int = 256
    blocks: int = 6
    kernel: int = 7
    dropout: float = 0.1

    def check(self) -> None:
        """Refuse sizes that no network can have.

        Raises
        ------
        InvalidValueError : a size is no number of its kind, or out of range
        """
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise InvalidValueError(
                    f"{name} must be {least} to {most}, got {value!r}; choose another size"
                )
        if self.height % 8:
            raise InvalidValueError(
                f"height must be a multiple of 8, got {self.height}; choose another size"
            )
        stem = self.stem
        if not isinstance(stem, tuple) or len(stem) != 3:
            raise InvalidValueError(f"stem must be a tuple of 3 sizes, got {stem!r}; give all 3")
        if not all(type(size) is int and 1 <= size <= 4096 for size in stem):
            raise InvalidValueError(
                f"stem must be sizes of 1 to 4096, got {stem!r}; choose other sizes"
            )
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise InvalidValueError(
                f"dropout must be at least 0 and below 1, got {self.dropout!r}; choose a share"
            )

    def weights(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight of the network, by ``layer/weight``.

        So a model file can be checked before a network is built.
        """
        return dict(self._weights())

    def _weights(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        low, middle, high = self.stem
        inputs = (1, low, low, middle, middle, high)
        outputs = (low, low, middle, middle, high, high)
        for i, (before, after) in enumerate(zip(inputs, outputs, strict=True), start=1):
            side = 5 if i == 1 else 3
            yield f"stem{i}_conv/kernel", (side, side, before, after)
            yield from _norm(f"stem{i}", after)
        yield "collapse_dense/kernel", (self.height // 8 * high, self.channels)
        yield from _norm("collapse", self.channels)
        for i in range(1, self.blocks + 1):
            yield f"gated{i}_depthwise/kernel", (self.kernel, self.channels, 1)
            yield f"gated{i}_dense/kernel", (self.channels, 2 * self.channels)
            yield from _norm(f"gated{i}", 2 * self.channels)
        yield "logits/kernel", (self.channels, self.classes)
        yield "logits/bias", (self.classes,)


def _norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for weight in ("gamma", "beta", "moving_mean", "moving_variance"):
        yield f"{name}_norm/{weight}", (channels,)
