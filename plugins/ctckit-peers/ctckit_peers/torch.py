"""The decoder `torchgreedy`."""

from __future__ import annotations

from typing import Any

from ctckit_peers.peer import Found, Matrices, Peer


class TorchGreedy(Peer):
    """Take the best path with PyTorch's argmax and unique_consecutive, as torchaudio's examples do.

    It runs on the CPU on one thread, for the whole process.
    """

    distributions = ("torch",)
    install = "pip install 'ctckit-peers[torch]'"
    one_text = True

    def prepare(self) -> None:
        """Load PyTorch."""
        self._torch = self.import_peer("torch")
        self._torch.set_num_threads(1)

    def convert(self, matrices: Matrices) -> list[Any]:
        """Return tensors."""
        return [self._torch.tensor(one) for one in matrices]

    def run(self, inputs: list[Any], n_best: int) -> list[Any]:
        """Call PyTorch on each matrix."""
        distinct, argmax = self._torch.unique_consecutive, self._torch.argmax
        return [distinct(argmax(one, dim=-1)) for one in inputs]

    def collect(self, raw: list[Any]) -> Found:
        """Return one text a matrix."""
        blank = self.alphabet.blank
        return [[([c for c in path.tolist() if c != blank], None)] for path in raw]
