"""The command `export`: a model becomes an ONNX file for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from ctckit.cli.errors import say
from ctckit.cli.images import model_option
from ctckit.cli.options import PATH


@click.command("export", short_help="Write a model as an ONNX file.", params=[model_option()])
@click.option(
    "--output",
    type=PATH,
    metavar="FILE",
    default=Path("model.onnx"),
    help="The file, which ends in .onnx; it is replaced.  [default: model.onnx]",
)
def export(model: Path | None, output: Path) -> None:
    """Write a model's network as an ONNX file, which other programs and languages can run.

    ctckit itself needs no such file: where ONNX Runtime is installed, it makes the same graph
    of the model when it is loaded. Tokens, blank and preprocessing are in the file's metadata.

    \b
    ctckit export --output ctckit.onnx
    ctckit export --model model/model.safetensors
    """  # noqa: D301 - click wants a backspace
    from ctckit.recognizer.extras import require_images

    if output.suffix.lower() != ".onnx":
        raise click.UsageError(f"output must end in .onnx, got '{output}'; rename it")
    require_images()
    from ctckit.recognizer.models import read_model, write_whole
    from ctckit.recognizer.onnx_network import onnx_bytes

    found = read_model(model)
    content = onnx_bytes(found)
    write_whole(output, content)
    shape = found.shape
    say(
        f"the network for images of {shape.height} rows and {shape.classes} classes is "
        f"'{output}' ({len(content) / 1e6:.1f} MB)"
    )
