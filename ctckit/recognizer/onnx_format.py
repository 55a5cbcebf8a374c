"""ONNX files, written without the package `onnx`: a graph's nodes and arrays become bytes.

An ONNX file is one protobuf message. Only what a graph of float32 and int64 arrays needs is here;
the numbers of the fields are those of ``onnx.proto``, https://github.com/onnx/onnx. Importing
`onnx` for this would cost as much as all else that is loaded to read a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

OPSET = 17
"""Version of the operators, from 2022."""
_IR_VERSION = 8
_TYPES = {"float32": 1, "int32": 6, "int64": 7}
_INT, _INTS = 2, 7
"""Kinds of attributes."""

Shape = Sequence[int | str]
"""Sizes of an array; a string names one that is not fixed."""


class Graph:
    """A graph that is built node by node.

    Parameters
    ----------
    name : of the graph
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._nodes: list[bytes] = []
        self._arrays: list[bytes] = []
        self._inputs: list[bytes] = []

    def input(self, name: str, dtype: str, shape: Shape) -> str:
        """Declare an input of the graph, and return its name."""
        self._inputs.append(_value(name, dtype, shape))
        return name

    def array(self, value: npt.NDArray[Any], name: str = "") -> str:
        """Add a constant of float32 or int64, and return its name."""
        name = name or self._new_name("constant")
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        self._arrays.append(
            _packed(1, value.shape)
            + _number(2, _TYPES[value.dtype.name])
            + _text(8, name)
            + _bytes(9, little.tobytes())
        )
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its output.

        Parameters
        ----------
        operator : of ONNX, such as ``"Conv"``
        inputs : names of what it takes
        output : name of what it gives; one is made up if it is empty
        attributes : an integer or a sequence of integers each
        """
        output = output or self._new_name(operator.lower())
        message = b"".join(_text(1, name) for name in inputs)
        message += _text(2, output) + _text(3, output) + _text(4, operator)
        for name, value in attributes.items():
            if isinstance(value, int):
                content = _number(3, value) + _number(20, _INT)
            else:
                content = b"".join(_number(8, one) for one in value) + _number(20, _INTS)
            message += _bytes(5, _text(1, name) + content)
        self._nodes.append(message)
        return output

    def _new_name(self, start: str) -> str:
        self._count += 1
        return f"{start}_{self._count}"

    def model(self, output: str, shape: Shape, metadata: Mapping[str, str]) -> bytes:
        """Return the ONNX file.

        Parameters
        ----------
        output : what the graph gives, float32
        shape : of that
        metadata : what else stands in the file
        """
        graph = b"".join(_bytes(1, node) for node in self._nodes)
        graph += _text(2, self._name)
        graph += b"".join(_bytes(5, array) for array in self._arrays)
        graph += b"".join(_bytes(11, value) for value in self._inputs)
        graph += _bytes(12, _value(output, "float32", shape))
        entries = [_text(1, name) + _text(2, value) for name, value in metadata.items()]
        return (
            _number(1, _IR_VERSION)
            + _text(2, "ctckit")
            + _bytes(7, graph)
            + _bytes(8, _text(1, "") + _number(2, OPSET))
            + b"".join(_bytes(14, entry) for entry in entries)
        )


def _value(name: str, dtype: str, shape: Shape) -> bytes:
    sizes = [_text(2, size) if isinstance(size, str) else _number(1, size) for size in shape]
    tensor = _number(1, _TYPES[dtype]) + _bytes(2, b"".join(_bytes(1, size) for size in sizes))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _varint(value: int) -> bytes:
    """Return an integer as protobuf writes it: 7 bits a byte, the lowest first."""
    value &= (1 << 64) - 1  # negative ones as two's complement
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _packed(field: int, values: Sequence[int]) -> bytes:
    return _bytes(field, b"".join(map(_varint, values)))
