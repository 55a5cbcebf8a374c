"""The shim beside the installed pyctcdecode: signatures, labels, texts, scores, frames, folders."""

from __future__ import annotations

from .conftest import CORPUS, LABELS  # noqa: F401 - see the note below
