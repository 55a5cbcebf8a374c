"""The command `train`: images with texts, real or drawn, become a model."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ctckit.cli.errors import Interrupted, say
from ctckit.cli.images import images_text
from ctckit.cli.interrupts import Interrupts, taken_signals
from ctckit.cli.left_out import tell_left_out, tell_some
from ctckit.cli.options import PATH
from ctckit.cli.progress import progress
from ctckit.errors import InvalidValueError

if TYPE_CHECKING:
    from ctckit.recognizer.checkpoint import Row
    from ctckit.recognizer.models import Model
    from ctckit.recognizer.recipe import Data, Recipe
    from ctckit.recognizer.training import Trainer


@click.command("train", short_help="Train a recognizer on images with texts.")
@click.option(
    "--data",
    type=PATH,
    metavar="DIR",
    multiple=True,
    help="Folder of images with texts: labels.csv, or NAME.gt.txt beside an image, sub-folders "
    "too; or IAM, Bentham, RIMES, Saint Gall or Washington as they come; or a file that ctckit "
    "pack wrote. May be given more than once.",
)
@click.option(
    "--synthetic",
    is_flag=True,
    help="Draw images too: words of --words with --fonts, distorted as handwriting is.",
)
@click.option(
    "--fonts",
    type=PATH,
    metavar="DIR",
    help="Folder of .ttf and .otf files for --synthetic.",
)
@click.option(
    "--words",
    type=PATH,
    metavar="FILE",
    multiple=True,
    help="Word list for --synthetic, a word a line. May be given more than once; the lists are "
    "drawn from equally, one that is named twice twice as often.  [default: the words of --data]",
)
@click.option(
    "--synthetic-share",
    type=click.FloatRange(0, 1),
    default=0.45,
    metavar="FLOAT",
    help="Share of the images that are drawn, where there are real ones too.  [default: 0.45]",
)
@click.option(
    "--output",
    type=PATH,
    metavar="DIR",
    default=Path("model"),
    help="Folder for model.safetensors, curve.csv and the checkpoint; a training that was "
    "interrupted goes on from there.  [default: model]",
)
@click.option(
    "--start-from",
    type=PATH,
    metavar="FILE",
    help="Start with the weights of this model instead of random ones; `default` is the bundled "
    "one. Few images of a new hand are then enough.",
)
@click.option(
    "--images",
    "count",
    type=click.IntRange(min=1),
    default=300_000,
    metavar="INTEGER",
    help="Images to train on, counted as often as they are used.  [default: 300000]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="FLOAT",
    help="End after so many minutes of training, if --images takes longer.",
)
@click.option(
    "--evaluate-every",
    type=click.IntRange(min=1),
    default=20_000,
    metavar="INTEGER",
    help="Images between two evaluations.  [default: 20000]",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=2.5e-3,
    metavar="FLOAT",
    help="At its peak; it rises to that, then falls to nothing.  [default: 0.0025]",
)
@click.option(
    "--validation-share",
    type=click.FloatRange(0, 0.9),
    default=0.05,
    metavar="FLOAT",
    help="Share of the real images that are kept out of training, to choose the best weights "
    "by: all of some writers or pages, where these are known; 0 keeps the last weights.  "
    "[default: 0.05]",
)
@click.option(
    "--batch-columns",
    type=click.IntRange(min=64),
    default=6144,
    metavar="INTEGER",
    help="Image columns in a batch at most: 48 words of 128 columns, or 10 lines of 600.  "
    "[default: 6144]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    metavar="INTEGER",
    help="Processes that make training images.  [default: 1]",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    help="Where the network runs.  [default: auto, a GPU if there is one]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    metavar="INTEGER",
    help="Of all chance.  [default: 0]",
)
def train(
    data: Sequence[Path],
    synthetic: bool,
    fonts: Path | None,
    words: Sequence[Path],
    output: Path,
    **options: Any,
) -> None:
    """Train a recognizer, and write the best model to a folder.

    The alphabet is made of all characters of the texts. The model is a file of weights that
    ctckit dump takes as --model. A training that was interrupted goes on when the command is run
    again.

    \b
    ctckit train --data my-images --output my-model
    ctckit train --data my-images --synthetic --fonts fonts --words words.txt
    """  # noqa: D301 - click wants a backspace
    from ctckit.recognizer.extras import require_recognizer, without_chatter

    _check_sources(data, synthetic, fonts, words)
    _check_numbers(options)
    backend = require_recognizer()
    from ctckit.recognizer.checkpoint import check_folder
    from ctckit.recognizer.preprocessing import Preprocessing
    from ctckit.recognizer.recipe import Recipe, read_data

    check_folder(output)
    first = _first(options["start_from"])
    recipe = Recipe(
        data=tuple(str(folder) for folder in data),
        fonts=str(fonts) if synthetic else None,
        words=tuple(str(file) for file in words),
        synthetic_share=options["synthetic_share"],
        validation_share=options["validation_share"],
        columns=options["batch_columns"],
        seed=options["seed"],
        preprocessing=first.preprocessing if first is not None else Preprocessing(),
    )
    with taken_signals() as interrupts:
        with without_chatter():
            from ctckit.recognizer import devices

            device = devices.choose(backend, options["device"])
        interrupts.check()
        found = read_data(recipe)
        _tell_data(found)
        preprocessing = dataclasses.replace(recipe.preprocessing, mirrored=found.right_to_left)
        recipe = dataclasses.replace(recipe, preprocessing=preprocessing)
        with devices.using(device):
            with without_chatter():
                trainer = _trainer(recipe, found, output, options, first)
            interrupts.check()
            _run(trainer, recipe, found, options["workers"], interrupts)
    _tell_end(trainer)


def _check_sources(
    data: Sequence[Path], synthetic: bool, fonts: Path | None, words: Sequence[Path]
) -> None:
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


def _check_numbers(options: Mapping[str, Any]) -> None:
    """Refuse nan and inf, which click takes for numbers in range."""
    for name, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise click.UsageError(f"{name} must be a finite number, got {value}; give another")


def _tell_data(found: Data) -> None:
    """Say what there is to train on, and what is left out."""
    for note in found.notes:
        say(note)
    tell_left_out(found)
    if found.held_back:
        say(f"left out {images_text(found.held_back)} of the data's own test part")
    too_long = f"left out {images_text(len(found.too_long))} too narrow for the text"
    tell_some(too_long, found.too_long)
    generator = found.generator
    for name, count in generator.left_out.items() if generator is not None else ():
        say(f"warning: left out {count:,} of the words of '{name}', whose characters no font has")
    drawn = ", and drawn ones" if generator is not None else ""
    if found.right_to_left:
        say("the texts are written from right to left; images are mirrored")
    groups = ""
    if found.validation_groups:
        noun = "writer or page" if found.validation_groups == 1 else "writers or pages"
        groups = f" (of {found.validation_groups:,} {noun})"
    say(
        f"{images_text(len(found.training))} to train on{drawn}, {len(found.validation):,} to "
        f"validate on{groups}, {len(found.alphabet.tokens) - 1} characters"
    )


def _first(path: Path | None) -> Model | None:
    """Return the model to start from, if there is one."""
    from ctckit.recognizer.models import read_model

    if path is None:
        return None
    return read_model(None if str(path) == "default" else path)


def _trainer(
    recipe: Recipe,
    found: Data,
    output: Path,
    options: Mapping[str, Any],
    first: Model | None,
) -> Trainer:
    """Return what trains, as far as the checkpoint in `output` is."""
    from ctckit.recognizer.schedule import Schedule
    from ctckit.recognizer.shape import NetworkShape
    from ctckit.recognizer.training import Trainer

    schedule = Schedule(
        images=options["count"],
        minutes=options["minutes"],
        learning_rate=options["learning_rate"],
        every=options["evaluate_every"],
    )
    shape = first.shape if first is not None else NetworkShape(height=recipe.preprocessing.height)
    trainer = Trainer(
        output,
        found.alphabet,
        dataclasses.replace(shape, classes=len(found.alphabet.tokens)),
        recipe.preprocessing,
        schedule,
        {**found.about(recipe), "start_from": first.fingerprint if first is not None else None},
        seed=recipe.seed,
        first=first,
    )
    trainer.resume()
    state = trainer.state
    if schedule.progress(state.images, state.seconds) >= 1:
        raise InvalidValueError(
            f"output must be a new folder, or one whose training can go on, got '{output}', "
            f"whose training has ended after {images_text(state.images)} and "
            f"{state.seconds / 60:.1f} minutes; raise --images or --minutes, or choose another "
            "folder"
        )
    if state.images:
        say(f"going on after {images_text(state.images)} with the checkpoint in '{output}'")
    return trainer


def _run(
    trainer: Trainer, recipe: Recipe, found: Data, workers: int, interrupts: Interrupts
) -> None:
    from ctckit.recognizer.feed import Feed
    from ctckit.recognizer.recipe import BatchMaker

    began = trainer.state.images
    make = BatchMaker(recipe, found.alphabet, frozenset(found.training.ids))
    # A training that goes on draws other chance than it has had.
    seeds = [began * workers + i for i in range(workers)]
    # The bar sends standard output to the terminal, above itself: not where that goes elsewhere.
    quiet = not sys.stdout.isatty()
    bar = progress("train", trainer.schedule.images, unit="images", quiet=quiet)
    try:
        with bar as advance, Feed(make, seeds) as batches:
            advance(began)
            click.echo("   images  minutes    loss     CER   exact")
            trainer.run(interrupts.between(batches), found.validation, _tell_row, advance)
    except KeyboardInterrupt:
        trainer.save_checkpoint()
        raise _GoesOn(trainer.state.images) from None


class _GoesOn(Interrupted):
    """Ends the command after a signal, when the checkpoint is written."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self.images = images

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        say(
            f"{self.message} after {images_text(self.images)}; the checkpoint is written, run the "
            "command again to go on"
        )


def _tell_row(row: Row) -> None:
    cer, exact = ("-" if row[name] is None else f"{row[name]:.4f}" for name in ("cer", "exact"))
    images, seconds, loss = (row[name] or 0 for name in ("images", "seconds", "loss"))
    click.echo(f"{images:9,} {seconds / 60:8.1f} {loss:7.4f} {cer:>7} {exact:>7}")


def _tell_end(trainer: Trainer) -> None:
    """Say in one line what was done, and where the model is."""
    state = trainer.state
    best = "no images to validate on, so these are the last weights"
    if state.best is not None:
        best = f"best CER {state.best:.4f}"
    say(
        f"{images_text(state.images)} in {state.seconds / 60:.1f} minutes, {best}; the model is "
        f"'{trainer.model_path}'"
    )
