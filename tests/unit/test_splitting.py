"""Which images are validated on: whole writers or pages, or some of all."""

from __future__ import annotations

import pytest

from ctckit.recognizer.splitting import Chosen, choose_validation


def test_no_groups() -> None:
    chosen = choose_validation([None] * 100, 0.05, 0)
    assert (len(chosen.indices), chosen.groups, chosen.note) == (5, 0, "")
    assert chosen == choose_validation([None] * 100, 0.05, 0)
    assert chosen.indices != choose_validation([None] * 100, 0.05, 1).indices
    assert chosen.indices == choose_validation([str(i) for i in range(100)], 0.05, 0).indices


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_no_writer_is_on_both_sides(share: float, seed: int) -> None:
    groups = [f"w{i * i % 40}" for i in range(400)]
    chosen = choose_validation(groups, share, seed)
    validated = {groups[i] for i in chosen.indices}
    trained = {group for i, group in enumerate(groups) if i not in set(chosen.indices)}
    assert trained
    assert not validated & trained
    assert len(validated) == chosen.groups > 0
    assert 0 < len(chosen.indices) <= share * 400
    assert chosen.indices == sorted(chosen.indices)


def test_images_without_a_group_are_groups_of_their_own() -> None:
    groups = ["a"] * 50 + [None] * 50
    chosen = choose_validation(groups, 0.1, 3)
    assert len(chosen.indices) == chosen.groups == 10
    assert min(chosen.indices) >= 50


def test_large_groups() -> None:
    # The smallest is more than was asked for, but not too much.
    groups = [f"w{i % 9}" for i in range(90)] + ["w0"] * 10
    chosen = choose_validation(groups, 0.05, 0)
    assert (len(chosen.indices), chosen.groups, chosen.note) == (10, 1, "")
    for groups in (["w"] * 100, ["a", "b"] * 50):
        chosen = choose_validation(groups, 0.05, 0)
        assert (len(chosen.indices), chosen.groups) == (5, 0)
        assert chosen.note.startswith(
            "the writers or pages are too few or too large to keep some out of training ("
        )


def test_nothing_or_everything() -> None:
    assert choose_validation([], 0.5, 0) == choose_validation(["a"] * 9, 0, 0) == Chosen([])
    one = choose_validation(["a"], 0.9, 0)
    assert one.indices == []
    assert one.note == "1 image is too few to keep one out of training for validation"
    for groups in ([None] * 2, ["a"] * 2, ["a", "b"]):
        assert len(choose_validation(groups, 0.01, 0).indices) == 1
        assert len(choose_validation(groups, 0.9, 0).indices) == 1
