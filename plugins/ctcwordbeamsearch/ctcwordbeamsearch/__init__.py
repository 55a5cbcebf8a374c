"""Word beam search as a ctckit decoder: `ctckit.load_decoder("wordbeamsearch", ...)`."""

from ctcwordbeamsearch.decoder import WordBeamSearch

__all__ = ["WordBeamSearch"]
