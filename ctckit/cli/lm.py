"""The group `lm`: language models."""

from __future__ import annotations

import click

from ctckit.cli.lm_info import info
from ctckit.cli.lm_train import train


@click.group("lm", short_help="Train and look at language models.")
def lm() -> None:
    """Train and look at language models.

    A model says how likely a word, or a character, is after those before it. Models are ARPA files,
    made here or by KenLM, SRILM and others.
    """


lm.add_command(info)
lm.add_command(train)
