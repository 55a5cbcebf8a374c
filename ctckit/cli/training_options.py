"""The options of the command `train`, and what is wrong with them before anything is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ctckit.cli.options import PATH

if TYPE_CHECKING:
    from ctckit.recognizer.recipe import Data

Command = TypeVar("Command", bound=Callable[..., Any])

IMAGES = 300_000
"""Images to train on where neither --images nor --epochs says how many."""
EVERY = 20_000
"""Images between two evaluations where neither --evaluate-every nor --epochs says how many."""

OPTIONS = (
    click.option(
        "--data",
        type=PATH,
        metavar="DIR",
        multiple=True,
        help="Folder of images with texts: labels.csv, or NAME.gt.txt beside an image, sub-folders "
        "too; or IAM, Bentham, RIMES, Saint Gall or Washington as they come; or a file that ctckit "
        "pack wrote. May be given more than once.",
    ),
    click.option(
        "--synthetic",
        is_flag=True,
        help="Draw images too: words of --words with --fonts, distorted as handwriting is.",
    ),
    click.option(
        "--fonts",
        type=PATH,
        metavar="DIR",
        help="Folder of .ttf and .otf files for --synthetic.",
    ),
    click.option(
        "--words",
        type=PATH,
        metavar="FILE",
        multiple=True,
        help="Word list for --synthetic, a word a line. May be given more than once; the lists "
        "are drawn from equally, one that is named twice twice as often.  [default: the words of "
        "--data]",
    ),
    click.option(
        "--synthetic-share",
        type=click.FloatRange(0, 1),
        default=0.45,
        metavar="FLOAT",
        help="Share of the images that are drawn, where there are real ones too.  [default: 0.45]",
    ),
    click.option(
        "--output",
        type=PATH,
        metavar="DIR",
        default=Path("model"),
        help="Folder for model.safetensors, the curve, a summary, corpus.txt and the checkpoint; a "
        "training that was interrupted goes on from there.  [default: model]",
    ),
    click.option(
        "--start-from",
        type=PATH,
        metavar="FILE",
        help="Start with the weights of this model instead of random ones; `default` is the "
        "bundled one. Few images of a new hand are then enough.",
    ),
    click.option(
        "--height",
        type=click.IntRange(8, 96),
        metavar="INTEGER",
        help="Rows that images are scaled to, a multiple of 8; twice as many show finer writing, "
        "in four times the time.  [default: 32, or that of --start-from]",
    ),
    click.option(
        "--blocks",
        type=click.IntRange(0, 100),
        metavar="INTEGER",
        help="Gated blocks of the network; more of them read better, and slower.  [default: 6, or "
        "those of --start-from]",
    ),
    click.option(
        "--images",
        "count",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Images to train on, counted as often as they are used.  [default: 300000]",
    ),
    click.option(
        "--epochs",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Instead of --images: train until each real image has been used so often, on average.",
    ),
    click.option(
        "--minutes",
        type=click.FloatRange(min=0, min_open=True),
        metavar="FLOAT",
        help="End after so many minutes of training, if --images or --epochs take longer.",
    ),
    click.option(
        "--evaluate-every",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Images between two evaluations.  [default: 20000; with --epochs, an epoch]",
    ),
    click.option(
        "--patience",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="End after so many evaluations in a row that do not better the CER.  [default: go on]",
    ),
    click.option(
        "--learning-rate",
        type=click.FloatRange(min=0, min_open=True),
        default=2.5e-3,
        metavar="FLOAT",
        help="At its peak; it rises to that, then falls to nothing.  [default: 0.0025]",
    ),
    click.option(
        "--validation-share",
        type=click.FloatRange(0, 0.9),
        default=0.05,
        metavar="FLOAT",
        help="Share of the real images that are kept out of training, to choose the best weights "
        "by: all of some writers or pages, where these are known; 0 keeps the last weights.  "
        "[default: 0.05]",
    ),
    click.option(
        "--corpus-from",
        type=click.Choice(["train", "all"]),
        default="train",
        help="Texts of which corpus.txt is made, for word beam search: those of the images to "
        "train on; or all, also of those to validate on, which flatters the error rates.  "
        "[default: train]",
    ),
    click.option(
        "--batch-columns",
        type=click.IntRange(min=64),
        default=6144,
        metavar="INTEGER",
        help="Image columns in a batch at most: 48 words of 128 columns, or 10 lines of 600.  "
        "[default: 6144]",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        default=64,
        metavar="INTEGER",
        help="Images in a batch at most, beside --batch-columns.  [default: 64]",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=1,
        metavar="INTEGER",
        help="Processes that make training images.  [default: 1]",
    ),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "gpu"]),
        default="auto",
        help="Where the network runs.  [default: auto, a GPU if there is one]",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "float32", "mixed"]),
        default="auto",
        help="What the network computes in while it is trained; mixed is float16 but where that is "
        "too coarse.  [default: auto, mixed on a GPU]",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=0,
        metavar="INTEGER",
        help="Of all chance.  [default: 0]",
    ),
)


def training_options(command: Command) -> Command:
    """Give a command the options, in their order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def check_sources(
    data: Sequence[Path], synthetic: bool, fonts: Path | None, words: Sequence[Path]
) -> None:
    """Refuse sources of images that lack something, or make no sense together."""
    if not data and not synthetic:
        raise click.UsageError(
            "training images must come from somewhere, got neither --data nor --synthetic; "
            "give a folder, or fonts to draw with"
        )
    if synthetic and fonts is None:
        raise click.UsageError(
            "--fonts must be given with --synthetic, got none; name a folder of .ttf or .otf files"
        )
    if synthetic and not data and not words:
        raise click.UsageError(
            "--words must be given with --synthetic where there is no --data, got none; "
            "name a word list"
        )
    if not synthetic and (fonts is not None or words):
        raise click.UsageError(
            "--fonts and --words must come with --synthetic, got them without; add --synthetic"
        )


def check_numbers(options: Mapping[str, Any], data: Sequence[Path], synthetic: bool) -> None:
    """Refuse nan and inf, which click takes for numbers in range, and lengths that clash."""
    for name, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise click.UsageError(f"{name} must be a finite number, got {value}; give another")
    if options["epochs"] is None:
        return
    if options["count"] is not None:
        raise click.UsageError(
            f"--images and --epochs must not come together, got {options['count']} and "
            f"{options['epochs']}; leave one out"
        )
    if not data or (synthetic and options["synthetic_share"] == 1):
        raise click.UsageError(
            f"--epochs must come with real images, which it counts, got {options['epochs']} where "
            "all are drawn; give --images instead"
        )


def images_wanted(options: Mapping[str, Any], found: Data) -> tuple[int, int]:
    """Return how many images to train on, and how many between two evaluations."""
    from ctckit.recognizer.schedule import images_of_epochs

    count, every = options["count"] or IMAGES, options["evaluate_every"]
    if options["epochs"] is None:
        return count, every or EVERY
    drawn = options["synthetic_share"] if found.generator is not None else 0.0
    count, epoch = (
        images_of_epochs(epochs, len(found.training), drawn) for epochs in (options["epochs"], 1)
    )
    return count, every or epoch


def check_patience(patience: int | None, found: Data) -> None:
    """Refuse to wait for a CER that will never be known."""
    if patience is not None and not len(found.validation):
        raise click.UsageError(
            f"patience must be left out where there are no images to validate on, got {patience}; "
            "leave it out, or give more --data and a --validation-share above 0"
        )
