"""Training: a schedule of batches for the network, with checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.errors import CtckitError, InvalidValueError
from ctckit.matrices import MatrixBatch
from ctckit.metrics import ErrorCounts, count_errors
from ctckit.recognizer.checkpoint import (
    MODEL,
    State,
    check_arrays,
    read_checkpoint,
    write_checkpoint,
)
from ctckit.recognizer.curve import (
    Row,
    can_draw,
    draw_curve,
    read_curve,
    write_curve,
    write_summary,
)
from ctckit.recognizer.learning import make_network, make_optimizer
from ctckit.recognizer.models import Model, read_model, save_model
from ctckit.recognizer.network import named_weights
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.real import RealImages
from ctckit.recognizer.recognizer import padded
from ctckit.recognizer.samples import TrainingBatch
from ctckit.recognizer.schedule import Schedule
from ctckit.recognizer.shape import NetworkShape
from ctckit.recognizer.transfer import transferred
from ctckit.registry import load_decoder

SAVE_SECONDS = 300
"""A checkpoint is written so often at least, and at each evaluation."""
VALIDATION_BATCH = 32
_SCALE = "scale/"
"""How the names of the arrays begin that only mixed precision has in its checkpoint."""


class Trainer:
    """Trains a network, and keeps the best weights and a checkpoint in a folder.

    Parameters
    ----------
    folder : gets ``model.safetensors``, ``checkpoint.safetensors``, ``curve.csv``, ``summary.json``
        and, where Matplotlib is installed, ``curve.png``
    alphabet, shape, preprocessing : of the model
    schedule : how long
    about : said in the model file
    seed : of the first weights
    first : a model whose weights are the first ones, instead of random ones; see `transferred`
    precision : ``"float32"``, or ``"mixed"``: layers compute in float16. The weights, logits and
        loss are float32 in any case, so that a training may go on with the other one
    """

    def __init__(
        self,
        folder: Path,
        alphabet: Alphabet,
        shape: NetworkShape,
        preprocessing: Preprocessing,
        schedule: Schedule,
        about: Mapping[str, Any],
        seed: int = 0,
        first: Model | None = None,
        precision: str = "float32",
    ) -> None:
        self.folder = folder
        self.alphabet = alphabet
        self.shape = shape
        self.preprocessing = preprocessing
        self.schedule = schedule
        self.about = dict(about)
        self.state = State()
        keras.utils.set_random_seed(seed)
        self.model = make_network(shape, precision)
        self._weights = named_weights(self.model)
        if first is not None:
            for name, value in transferred(first, alphabet, self._values()).items():
                self._weights[name].assign(value)
        self.optimizer, self._scale = make_optimizer(self.model, schedule, precision)
        # JAX compiles anew for each width.
        self._quantum = 16 if keras.backend.backend() == "jax" else 1

    @property
    def model_path(self) -> Path:
        """Where the best model is written."""
        return self.folder / MODEL

    @property
    def ended(self) -> str:
        """What has ended the training, as `Schedule.end` says; empty if it can go on."""
        return self.schedule.end(self.state.images, self.state.seconds, self.state.stale)

    def step(self, batch: TrainingBatch) -> float:
        """Learn from a batch; return its loss."""
        images = batch.images[..., None] * np.float32(1 / 255)
        loss = self.model.train_on_batch([images, batch.frames], [batch.tokens, batch.lengths])
        return float(loss[0] if isinstance(loss, list | tuple) else loss)

    def run(
        self,
        batches: Iterable[TrainingBatch],
        validation: RealImages,
        report: Callable[[Row], None],
        on_images: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Train until the schedule ends.

        Parameters
        ----------
        batches : without end
        validation : images never trained on. Where there are none, the last weights are kept
            instead of the best
        report : is told of each evaluation, with the columns of the curve
        on_images : told after each batch how many images it had

        Raises
        ------
        InvalidValueError : the loss is no number any more; the folder cannot be written
        """
        state, schedule = self.state, self.schedule
        write_curve(self.folder, read_curve(self.folder, state.images))
        self.save_checkpoint()
        began = time.monotonic() - state.seconds
        losses: list[float] = []
        due = schedule.next_evaluation(state.images)
        saved = time.monotonic()
        for batch in batches:
            progress = schedule.progress(state.images, state.seconds)
            self.optimizer.learning_rate = schedule.rate(progress)
            losses.append(self.step(batch))
            if not math.isfinite(losses[-1]):
                raise self._diverged("loss", losses[-1])
            state.images += len(batch.frames)
            state.seconds = time.monotonic() - began
            on_images(len(batch.frames))
            if self.ended or state.images >= due:
                self._evaluate(float(np.mean(losses)), validation, report)
                losses, due = [], schedule.next_evaluation(state.images)
                saved = time.monotonic()
            if self.ended:
                return
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save_checkpoint()
                saved = time.monotonic()

    def _diverged(self, name: str, value: float) -> InvalidValueError:
        return InvalidValueError(
            f"{name} must be finite, got {value} after {self.state.images:,} images; run again "
            "with a lower --learning-rate, which goes on from the last checkpoint"
        )

    def _evaluate(self, loss: float, validation: RealImages, report: Callable[[Row], None]) -> None:
        state = self.state
        counts = self.validate(validation)
        known = counts.lines > 0
        cer, wer, exact = (counts.cer, counts.wer, counts.exact) if known else (None, None, None)
        row: Row = {"images": state.images, "seconds": round(state.seconds, 1)}
        for name, value in (("loss", loss), ("cer", cer), ("wer", wer), ("exact", exact)):
            row[name] = None if value is None else round(value, 5)
        # Of equally good weights the last are kept, but patience wants better ones.
        keep = cer is None or state.best is None or cer <= state.best
        better = cer is None or state.best is None or cer < state.best
        state.stale = 0 if better else state.stale + 1
        if keep:
            state.best, state.best_wer, state.best_exact = cer, wer, exact
            state.kept = state.images
        rows = [*read_curve(self.folder, state.images - 1), row]
        write_curve(self.folder, rows)
        if can_draw():
            draw_curve(self.folder, rows)
        write_summary(self.folder, self._summary(counts.lines))
        # What is above is written again by who goes on from the checkpoint before this one. This
        # one holds these weights: if the process ends behind it, `resume` writes the model.
        self.save_checkpoint()
        if keep:
            save_model(self.model_path, self.current())
        report(row)

    def _summary(self, validated: int) -> dict[str, Any]:
        """Return what there is to say of the training, and of the model that is kept."""
        state = self.state
        rates = {"cer": state.best, "wer": state.best_wer, "exact": state.best_exact}
        return {
            "images": state.images,
            "minutes": round(state.seconds / 60, 2),
            "ended_by": self.ended or None,
            "validation_images": validated,
            "model": {
                "file": MODEL,
                "images": state.kept,
                **{name: None if rate is None else round(rate, 5) for name, rate in rates.items()},
            },
        }

    def current(self) -> Model:
        """Return the model as it is now.

        Raises
        ------
        InvalidValueError : a weight is no number any more
        """
        about = {**self.about, **self.state.described(), "schedule": asdict(self.schedule)}
        return Model(self.alphabet, self.shape, self.preprocessing, self._values(), about)

    def _values(self) -> dict[str, Any]:
        values = {name: np.asarray(value) for name, value in self._weights.items()}
        for value in values.values():
            if not np.isfinite(value).all():
                raise self._diverged("weights", value[~np.isfinite(value)][0])
        return values

    def validate(self, images: RealImages) -> ErrorCounts:
        """Return the errors of best path decoding on images."""
        decoder = load_decoder("bestpath", self.alphabet)
        prepared = [self.preprocessing.apply(image) for image in images.images]
        order = sorted(range(len(prepared)), key=lambda i: prepared[i].shape[1])
        counts = ErrorCounts()
        for start in range(0, len(order), VALIDATION_BATCH):
            part = order[start : start + VALIDATION_BATCH]
            matrices = self._recognized([prepared[i] for i in part])
            texts = decoder.decode_batch(matrices, threads=1).texts()
            counts = counts + count_errors([images.texts[i] for i in part], texts)
        return counts

    def _recognized(self, prepared: list[Any]) -> MatrixBatch:
        """Return the matrices that a `Recognizer` would make, without building another network."""
        pixels, frames = padded(prepared, self.shape.height, self._quantum)
        logits = np.asarray(self.model.predict_on_batch([pixels, frames]))
        count = len(prepared)
        return MatrixBatch.from_logits(logits[:count], self.alphabet, frames[:count])

    def save_checkpoint(self) -> None:
        """Write all that is needed to go on: weights, the optimizer's, and how far it is."""
        arrays = {f"weights/{name}": value for name, value in self._values().items()}
        for name, variable in [*self._optimizer_variables(), *self._scale_variables()]:
            arrays[name] = np.asarray(variable)
        write_checkpoint(self.folder, arrays, self.state, self._settings())

    def _optimizer_variables(self) -> list[tuple[str, Any]]:
        return [(f"optimizer/{i}", one) for i, one in enumerate(self.optimizer.variables)]

    def _scale_variables(self) -> list[tuple[str, Any]]:
        """Return what mixed precision has besides, by names that a float32 training passes over."""
        return [(f"{_SCALE}{i}", one) for i, one in enumerate(self._scale)]

    def _settings(self) -> str:
        """Return what must be the same to go on with a checkpoint, as JSON."""
        settings = {
            "tokens": self.alphabet.tokens,
            "network": asdict(self.shape),
            "preprocessing": self.preprocessing.described(),
        }
        return json.dumps(settings, ensure_ascii=False)

    def resume(self) -> bool:
        """Go on with the folder's checkpoint; return whether there was one.

        Raises
        ------
        InvalidValueError : the checkpoint is damaged, or of a training with other settings
        """
        found = read_checkpoint(self.folder, self._settings())
        if found is None:
            return False
        arrays, self.state = found
        variables = {f"weights/{name}": value for name, value in self._weights.items()}
        variables |= dict(self._optimizer_variables())
        scale = {name: arrays.pop(name) for name in list(arrays) if name.startswith(_SCALE)}
        shapes = {name: tuple(variable.shape) or (1,) for name, variable in variables.items()}
        check_arrays(self.folder, arrays, shapes)
        if scale and self._scale:
            variables |= dict(self._scale_variables())
            check_arrays(self.folder, scale, {name: (1,) for name, _ in self._scale_variables()})
        for name, variable in variables.items():
            variable.assign((arrays | scale)[name].reshape(variable.shape))
        self._agree_with_model()
        return True

    def _agree_with_model(self) -> None:
        """Write the model again if the training was killed before it was, and forget one lost."""
        state = self.state
        try:
            found = read_model(self.model_path).about.get("images")
        except CtckitError:
            found = None
        if state.kept and state.kept == state.images != found:
            save_model(self.model_path, self.current())
        elif found is None:
            state.best = state.best_wer = state.best_exact = None
            state.kept = 0
