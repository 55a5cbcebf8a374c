"""A text's log-probability is the loss that PyTorch trains with, and its tensors are taken."""

from __future__ import annotations

import numpy as np
import pytest

from ctckit import Alphabet, DecodedBatch, MatrixBatch, SearchResult

torch = pytest.importorskip("torch", reason="needs torch")


def test_log_prob_is_the_negative_loss():
    generator = torch.Generator().manual_seed(0)
    log_probs = torch.randn((30, 4, 6), generator=generator).mul(3).log_softmax(dim=-1)
    lengths, texts = [30, 17, 9, 4], ["abba", "cc", "edcba", ""]
    alphabet = Alphabet(["", *"abcde"], blank=0)
    given = [alphabet.encode(text) for text in texts]
    loss = torch.nn.CTCLoss(reduction="none")(
        log_probs,
        torch.tensor(np.concatenate(given).astype(np.int64)),
        torch.tensor(lengths),
        torch.tensor([len(one) for one in given]),
    )
    batch = MatrixBatch.from_log_probs(log_probs, alphabet, lengths=lengths, layout="TNC")
    found = DecodedBatch(batch, SearchResult.from_best(given))
    np.testing.assert_allclose(found.log_probs, -loss.numpy(), rtol=1e-5)
