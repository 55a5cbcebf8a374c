"""The command `train`: images with texts, real or drawn, become a model."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ctckit.cli.errors import FAILED, Interrupted, say
from ctckit.cli.images import images_text
from ctckit.cli.interrupts import Interrupts, taken_signals
from ctckit.cli.left_out import tell_left_out, tell_some
from ctckit.cli.progress import progress
from ctckit.cli.training_options import (
    check_numbers,
    check_patience,
    check_sources,
    images_wanted,
    training_options,
)
from ctckit.errors import InvalidValueError, NotFoundError

if TYPE_CHECKING:
    from ctckit.recognizer.checkpoint import State
    from ctckit.recognizer.curve import Row
    from ctckit.recognizer.models import Model
    from ctckit.recognizer.recipe import Data, Recipe
    from ctckit.recognizer.training import Trainer

_ENDS = {"images": "--images or --epochs", "minutes": "--minutes", "patience": "--patience"}
"""What to raise for more, by what has ended a training."""


@click.command("train", short_help="Train a recognizer on images with texts.")
@training_options
@click.pass_context
def train(
    context: click.Context,
    /,
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
    ctckit train --data my-images --epochs 200 --patience 25
    ctckit train --data my-images --synthetic --fonts fonts --words words.txt
    """  # noqa: D301 - click wants a backspace
    from ctckit.recognizer.extras import require_recognizer, without_chatter

    check_sources(data, synthetic, fonts, words)
    check_numbers(options, data, synthetic)
    backend = require_recognizer()
    from ctckit.recognizer.checkpoint import alone, check_folder, read_state
    from ctckit.recognizer.preprocessing import preprocessing_for
    from ctckit.recognizer.recipe import Recipe, read_data

    check_folder(output)
    first = _first(options["start_from"])
    height = _check_sizes(options, first)
    recipe = Recipe(
        data=tuple(str(folder) for folder in data),
        fonts=str(fonts) if synthetic else None,
        words=tuple(str(file) for file in words),
        synthetic_share=options["synthetic_share"],
        validation_share=options["validation_share"],
        columns=options["batch_columns"],
        batch_size=options["batch_size"],
        seed=options["seed"],
        preprocessing=first.preprocessing if first is not None else preprocessing_for(height),
    )
    with alone(output), taken_signals() as interrupts:
        with without_chatter():
            from ctckit.recognizer import devices

            device = devices.choose(backend, options["device"])
            options["precision"] = devices.choose_precision(device, options["precision"])
        interrupts.check()
        begun = read_state(output)
        _check_start(begun, first)
        found = read_data(recipe, begun.validation if begun is not None else None)
        check_patience(options["patience"], found)
        _tell_data(found)
        preprocessing = dataclasses.replace(recipe.preprocessing, mirrored=found.right_to_left)
        recipe = dataclasses.replace(recipe, preprocessing=preprocessing)
        with devices.using(device):
            with without_chatter():
                trainer = _trainer(recipe, found, output, options, first)
            interrupts.check()
            _write_language_files(trainer, found, options["corpus_from"])
            _tell_curve()
            chances = _chances(trainer, options["workers"], first)
            gone = _run(trainer, recipe, found, chances, interrupts)
    _tell_end(trainer, len(found.validation))
    if found.broken or found.damaged or gone:
        context.exit(FAILED)


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
    if str(path) == "default":
        return read_model()
    if not path.exists():
        raise NotFoundError(
            f"start_from must be a model file that exists, got '{path}'; check the path, or write "
            "default for the bundled one"
        )
    return read_model(path)


def _check_sizes(options: Mapping[str, Any], first: Model | None) -> int:
    """Return the height of the images; refuse sizes that a model to start from cannot have."""
    from ctckit.recognizer.shape import NetworkShape

    shape = first.shape if first is not None else NetworkShape()
    height, blocks = options["height"], options["blocks"]
    if height is not None and height % 8:
        raise click.UsageError(f"height must be a multiple of 8, got {height}; choose another")
    if first is not None and height not in (None, shape.height):
        raise click.UsageError(
            f"height must be that of the model to start from, {shape.height}, got {height}; leave "
            "out --height or --start-from"
        )
    if first is not None and blocks is not None and blocks < shape.blocks:
        raise click.UsageError(
            f"blocks must be at least those of the model to start from, {shape.blocks}, got "
            f"{blocks}; raise --blocks or leave it out"
        )
    return shape.height if height is None else int(height)


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

    images, every = images_wanted(options, found)
    schedule = Schedule(
        images=images,
        minutes=options["minutes"],
        learning_rate=options["learning_rate"],
        every=every,
        patience=options["patience"],
    )
    shape = first.shape if first is not None else NetworkShape(height=recipe.preprocessing.height)
    blocks = shape.blocks if options["blocks"] is None else options["blocks"]
    trainer = Trainer(
        output,
        found.alphabet,
        dataclasses.replace(shape, classes=len(found.alphabet.tokens), blocks=blocks),
        recipe.preprocessing,
        schedule,
        {**found.about(recipe), "start_from": first.fingerprint if first is not None else None},
        seed=recipe.seed,
        first=first,
        precision=options["precision"],
    )
    trainer.resume()
    state = trainer.state
    if state.validation is None:
        state.validation = list(found.validation.ids)
        state.start_from = first.fingerprint if first is not None else ""
    if trainer.ended:
        raise InvalidValueError(
            f"output must be a new folder, or one whose training can go on, got '{output}', "
            f"whose training has ended after {images_text(state.images)} and "
            f"{state.seconds / 60:.1f} minutes; raise {_ENDS[trainer.ended]}, or choose "
            "another folder"
        )
    if state.images:
        say(f"going on after {images_text(state.images)} with the checkpoint in '{output}'")
    return trainer


def _check_start(begun: State | None, first: Model | None) -> None:
    """Refuse to go on with a training that has begun with other weights."""
    given = first.fingerprint if first is not None else ""
    if begun is None or begun.start_from in (None, given):
        return
    had = f"a model of fingerprint {begun.start_from}" if begun.start_from else "random weights"
    raise InvalidValueError(
        f"start_from must be that of the training that goes on, {had}, got "
        f"{given or 'none'}; give the same, or choose another --output"
    )


def _write_language_files(trainer: Trainer, found: Data, source: str) -> None:
    """Write what word beam search needs beside the model."""
    from ctckit.recognizer.language_files import corpus_texts, write_language_files

    # First a checkpoint: a folder with a corpus alone would be taken for the user's own.
    trainer.save_checkpoint()
    write_language_files(trainer.folder, corpus_texts(found, source))


def _tell_curve() -> None:
    """Say that there will be no picture, where that is so."""
    from ctckit.recognizer.curve import PICTURE, can_draw

    if not can_draw():
        say(f"{PICTURE} needs Matplotlib, which is missing or broken; pip install 'ctckit[plots]'")


def _chances(trainer: Trainer, workers: int, first: Model | None) -> list[int]:
    """Return a number for each process that makes batches, to draw chance from.

    A training that goes on draws other chance than it has had, and one that starts from a model
    other chance than that model has had.
    """
    begin = 0 if first is None else int(first.fingerprint[:12], 16)
    return [begin + trainer.state.images * workers + i for i in range(workers)]


def _run(
    trainer: Trainer,
    recipe: Recipe,
    found: Data,
    chances: Sequence[int],
    interrupts: Interrupts,
) -> list[str]:
    """Train until the end; return the images that could be read before, and not any more."""
    from ctckit.recognizer.feed import Feed
    from ctckit.recognizer.recipe import BatchMaker

    gone: list[str] = []

    def leave_out(ids: Sequence[str]) -> None:
        tell_some(
            f"left out {images_text(len(ids))} that could be read before, and cannot now", ids
        )
        gone.extend(ids)

    began = trainer.state.images
    make = BatchMaker(recipe, found.alphabet, frozenset(found.training.ids))
    # The bar sends standard output to the terminal, above itself: not where that goes elsewhere.
    quiet = not sys.stdout.isatty()
    bar = progress("train", trainer.schedule.images, unit="images", quiet=quiet)
    try:
        with bar as advance, Feed(make, chances, leave_out) as batches:
            advance(began)
            click.echo("   images  minutes    loss     CER     WER   exact")
            trainer.run(interrupts.between(batches), found.validation, _tell_row, advance)
    except KeyboardInterrupt:
        trainer.save_checkpoint()
        raise _GoesOn(trainer.state.images) from None
    return gone


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
    rates = (row[name] for name in ("cer", "wer", "exact"))
    cer, wer, exact = ("-" if rate is None else f"{rate:.4f}" for rate in rates)
    images, seconds, loss = (row[name] or 0 for name in ("images", "seconds", "loss"))
    click.echo(f"{images:9,} {seconds / 60:8.1f} {loss:7.4f} {cer:>7} {wer:>7} {exact:>7}")


def _tell_end(trainer: Trainer, validated: int) -> None:
    """Say what was done, how good the model is, and where it is."""
    state = trainer.state
    patience = trainer.schedule.patience
    if trainer.ended == "patience":
        noun = "evaluation" if patience == 1 else "evaluations in a row"
        say(f"ended early: {patience} {noun} did not better the CER")
    best = "no images to validate on, so these are the last weights"
    if state.best is not None:
        rates = {"CER": state.best, "WER": state.best_wer, "exact": state.best_exact}
        told = ", ".join(f"{name} {rate:.4f}" for name, rate in rates.items() if rate is not None)
        best = f"best after {images_text(state.kept)}: {told} of {images_text(validated)}"
    say(f"{images_text(state.images)} in {state.seconds / 60:.1f} minutes, {best}")
    say(f"the model is '{trainer.model_path}'; curve, summary and corpus are beside it")
