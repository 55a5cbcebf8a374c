"""Models of the Hugging Face hub that are on this machine already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctckit.errors import MissingExtraError, NotFoundError

CACHE = Path("~", ".cache", "pyctcdecode")
"""Where pyctcdecode keeps what it downloads."""


def find_cached(model_id: str, cache_dir: str | None, options: Mapping[str, Any]) -> str:
    """Return the folder of a model; nothing is downloaded.

    Parameters
    ----------
    model_id : such as ``user/model``
    cache_dir : the cache; None: pyctcdecode's, then the hub's own
    options : for ``huggingface_hub.snapshot_download``

    Raises
    ------
    NotFoundError : it is in no cache
    MissingExtraError : huggingface_hub is not installed
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtraError(
            "load_from_hf_hub needs huggingface_hub to look into its cache, which is not "
            "installed; install it with pip, or give the folder to load_from_dir"
        ) from None
    caches = [str(CACHE.expanduser()), None] if cache_dir is None else [cache_dir]
    for cache in caches:
        try:
            found: str = snapshot_download(
                model_id, **{**options, "cache_dir": cache, "local_files_only": True}
            )
            return found
        except OSError:  # which is what it raises where it may not download
            continue
    raise NotFoundError(
        f"model_id must be a model that is in the cache, got {model_id!r}, which is not in "
        f"{cache_dir or CACHE}; nothing is downloaded here: get it with `hf download {model_id}`, "
        "or give its folder to load_from_dir"
    )
