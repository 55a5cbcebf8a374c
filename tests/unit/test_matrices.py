from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

from ctckit import Alphabet, AlphabetMismatchError, InvalidValueError, MatrixBatch

THREE = Alphabet("ab-", 2)
PROBS = np.array(
    [
        [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]],
        [[0.1, 0.2, 0.7], [0.25, 0.25, 0.5]],
    ]
)
with np.errstate(divide="ignore"):
    LOGS = np.log(PROBS)


def assert_close(batch, expected):
    assert batch.log_probs.dtype == np.float32
    np.testing.assert_allclose(batch.log_probs, np.concatenate(list(expected)), atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_three_kinds_agree(dtype):
    for batch in (
        MatrixBatch.from_log_probs(LOGS.astype(dtype), THREE),
        MatrixBatch.from_probs(PROBS.astype(dtype), THREE),
        MatrixBatch.from_logits((LOGS + 3).astype(dtype), THREE),
    ):
        assert_close(batch, LOGS)
        assert batch.offsets.tolist() == [0, 2, 4]
        assert batch.lengths.tolist() == [2, 2]
        assert batch.alphabet is THREE


@pytest.mark.parametrize("constructor", ["from_log_probs", "from_probs", "from_logits"])
def test_layouts_and_lists_agree(constructor):
    values = PROBS if constructor == "from_probs" else LOGS
    make = getattr(MatrixBatch, constructor)
    expected = make(values, THREE).log_probs
    turned = np.ascontiguousarray(values.transpose(1, 0, 2))
    for batch in (
        make(turned, THREE, layout="TNC"),
        make(list(values), THREE),
        make(tuple(values), THREE),
        make(values.tolist(), THREE),
        make(values[:, ::-1][:, ::-1], THREE),
    ):
        np.testing.assert_array_equal(batch.log_probs, expected)


@pytest.mark.parametrize("layout", ["NTC", "TNC"])
def test_lengths_drop_the_frames_behind_them_unchecked(layout):
    values = LOGS.copy()
    values[0, 1] = np.nan
    array = values if layout == "NTC" else values.transpose(1, 0, 2)
    batch = MatrixBatch.from_log_probs(array, THREE, lengths=[1, 2], layout=layout)
    assert batch.offsets.tolist() == [0, 1, 3]
    assert_close(batch, [LOGS[0, :1], LOGS[1]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("constructor", ["from_log_probs", "from_probs", "from_logits"])
def test_columns_chosen_by_a_list(constructor, dtype):
    values = PROBS if constructor == "from_probs" else LOGS
    wider = np.concatenate([values[..., :1] + 9, values], axis=2).astype(dtype)
    chosen = wider[:, :, [1, 2, 3]]
    assert not chosen[0].flags.c_contiguous
    for lengths in ([2, 2], [2, 1]):
        batch = getattr(MatrixBatch, constructor)(chosen, THREE, lengths=lengths)
        assert batch.log_probs.flags.c_contiguous
        expected = [LOGS[0], LOGS[1, : lengths[1]]]
        np.testing.assert_allclose(batch.log_probs, np.concatenate(expected), atol=2e-3)


@pytest.mark.parametrize("lengths", [[0, 2], np.array([0, 2], dtype=np.uint8), (0, 2)])
def test_lengths_may_be_0_and_of_any_integer_type(lengths):
    batch = MatrixBatch.from_log_probs(LOGS, THREE, lengths=lengths)
    assert batch.lengths.tolist() == [0, 2]
    assert batch[0].shape == (0, 3)


def test_a_list_with_lengths():
    batch = MatrixBatch.from_log_probs([LOGS[0], LOGS[1, :1]], THREE, lengths=[1, 1])
    assert batch.lengths.tolist() == [1, 1]
    assert_close(batch, [LOGS[0, :1], LOGS[1, :1]])


def test_ragged_lists_and_empty_ones():
    batch = MatrixBatch.from_log_probs([LOGS[0, :0], LOGS[1], LOGS[0, :1]], THREE)
    assert batch.lengths.tolist() == [0, 2, 1]
    assert [len(matrix) for matrix in batch] == [0, 2, 1]
    assert len(MatrixBatch.from_log_probs([], THREE)) == 0
    assert len(MatrixBatch.from_logits(np.zeros((0, 5, 3)), THREE)) == 0
    assert MatrixBatch.from_probs(np.zeros((4, 0, 3)), THREE).lengths.tolist() == [0] * 4
    assert MatrixBatch.from_probs(np.zeros((0, 4, 3)), THREE, layout="TNC").lengths.tolist() == (
        [0] * 4
    )


def test_float32_is_not_copied_and_read_only():
    array = LOGS.astype(np.float32)
    batch = MatrixBatch.from_log_probs(array, THREE)
    assert np.shares_memory(array, batch.log_probs)
    assert array.flags.writeable
    for one in (batch, batch[1:], pickle.loads(pickle.dumps(batch)), copy.deepcopy(batch)):
        with pytest.raises(ValueError, match="read-only"):
            one.log_probs[0, 0] = 0
        with pytest.raises(ValueError, match="read-only"):
            one.offsets[0] = 1


def test_a_read_only_array_is_taken(tmp_path):
    np.save(tmp_path / "x.npy", LOGS.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert_close(MatrixBatch.from_log_probs(mapped, THREE), LOGS)
    assert_close(MatrixBatch.from_logits(mapped, THREE), LOGS)


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">f2"])
def test_foreign_byte_order(dtype):
    batch = MatrixBatch.from_probs(PROBS.astype(dtype), THREE)
    np.testing.assert_allclose(np.exp(batch.log_probs), np.concatenate(list(PROBS)), atol=1e-3)
    assert batch.log_probs.dtype.isnative


@pytest.mark.parametrize("dtype", ["<f2", ">f2"])
def test_float16_log_probs_of_5000_classes_are_renormalised(dtype):
    alphabet = Alphabet([*map(chr, range(0x4E00, 0x4E00 + 4999)), ""], 4999)
    row = np.full((1, 2, 5000), np.log(1 / 5000)).astype(dtype)
    assert abs(np.exp(row[0, 0].astype(np.float64)).sum() - 1) > 1e-3
    batch = MatrixBatch.from_log_probs(row, alphabet)
    assert batch.log_probs.dtype == np.float32
    np.testing.assert_allclose(np.exp(batch.log_probs.astype(np.float64)).sum(axis=1), 1, atol=1e-5)
    as_list = MatrixBatch.from_log_probs(list(row), alphabet)
    np.testing.assert_array_equal(as_list.log_probs, batch.log_probs)


def test_float16_of_each_kind():
    for kind, values in (("log_probs", LOGS), ("probs", PROBS), ("logits", LOGS)):
        batch = getattr(MatrixBatch, f"from_{kind}")(values.astype(np.float16), THREE)
        np.testing.assert_allclose(np.exp(batch.log_probs), np.exp(LOGS.reshape(-1, 3)), atol=1e-3)


def test_float64_probabilities_too_small_for_float32_are_kept():
    batch = MatrixBatch.from_probs([np.array([[1e-60, 0.0, 1.0]])], THREE)
    assert batch[0][0, 0] == pytest.approx(np.log(1e-60))
    assert batch[0][0, 1] == -np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits(dtype):
    top = 3e38 if dtype == np.float32 else 1e300
    logits = np.array([[[top, -top, -np.inf], [-top, -top, -np.inf]]], dtype=dtype)
    batch = MatrixBatch.from_logits(logits, THREE)
    assert batch[0][0, 0] == 0
    assert batch[0][0, 1] < -1e30
    np.testing.assert_allclose(batch[0][1, :2], np.log(0.5), rtol=1e-6)
    assert (batch[0][:, 2] == -np.inf).all()


def test_log_softmax_is_precise():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 20, 80)) * rng.choice([0.01, 1, 10, 50], size=(50, 1, 1))
    top = logits.max(axis=2, keepdims=True)
    exact = logits - top - np.log(np.exp(logits - top).sum(axis=2, keepdims=True))
    alphabet = Alphabet([*map(chr, range(100, 179)), ""], 79)
    batch = MatrixBatch.from_logits(logits, alphabet)
    np.testing.assert_allclose(batch.log_probs, exact.reshape(-1, 80), rtol=2e-6, atol=2e-6)


def test_ids():
    assert list(MatrixBatch.from_log_probs(LOGS, THREE).ids) == ["0", "1"]
    batch = MatrixBatch.from_log_probs(LOGS, THREE, ids=["x", "y"])
    assert list(batch.ids) == ["x", "y"]
    assert list(batch[1:].ids) == ["y"]


def test_default_ids_survive_slicing(batch):
    assert list(batch[2:4].ids) == ["2", "3"]
    assert list(batch[2:][1:].ids) == ["3", "4"]


def test_indexing(batch):
    assert len(batch) == 5
    np.testing.assert_array_equal(batch[-1], batch[4])
    np.testing.assert_array_equal(batch[np.int64(2)], list(batch)[2])
    assert batch[2].shape == (7, 4)
    part = batch[1:3]
    assert part.offsets.tolist() == [0, 0, 7]
    np.testing.assert_array_equal(part[1], batch[2])
    assert np.shares_memory(part.log_probs, batch.log_probs)
    assert len(batch[4:2]) == 0
    assert len(batch[:]) == 5
    assert len(batch[-2:]) == 2
    assert len(batch[10:]) == 0


def test_bad_indices(batch):
    with pytest.raises(IndexError, match=r"matrix must be 0 to 4, got 5"):
        batch[5]
    with pytest.raises(IndexError, match=r"matrix must be 0 to 4, got -6"):
        batch[-6]
    with pytest.raises(InvalidValueError, match=r"must have step 1, got 2; use .*concatenate"):
        batch[::2]
    with pytest.raises(TypeError):
        batch["0"]


def test_concatenate(batch):
    joined = MatrixBatch.concatenate([batch[3:], batch[:2], batch[2:3]])
    assert list(joined.ids) == ["3", "4", "0", "1", "2"]
    assert joined.lengths.tolist() == [1, 5, 4, 0, 7]
    np.testing.assert_array_equal(joined[4], batch[2])
    with pytest.raises(InvalidValueError, match="batches must hold at least one MatrixBatch"):
        MatrixBatch.concatenate([])
    with pytest.raises(AlphabetMismatchError, match="3 tokens instead of 4"):
        MatrixBatch.concatenate([batch, MatrixBatch.from_log_probs(LOGS, THREE)])


def test_pickle(batch):
    again = pickle.loads(pickle.dumps(batch[1:]))
    np.testing.assert_array_equal(again.log_probs, batch[1:].log_probs)
    assert again.offsets.tolist() == batch[1:].offsets.tolist()
    assert list(again.ids) == ["1", "2", "3", "4"]
    assert again.alphabet == batch.alphabet


def test_repr(batch):
    assert repr(batch) == "MatrixBatch(5 matrices, 17 frames, 4 classes)"


# What is refused, and in which words.


@pytest.mark.parametrize(
    ("shape", "layout", "message"),
    [
        ((32, 3), "NTC", "must have shape (N, T, C), got (32, 3); pass a list of (T, C) for one"),
        ((32, 3), "TNC", "must have shape (T, N, C), got (32, 3); pass a list of (T, C) for one"),
        ((3,), "NTC", "must have shape (N, T, C), got (3,); add the missing axes"),
        ((1, 1, 2, 3), "NTC", "must have shape (N, T, C), got (1, 1, 2, 3)"),
    ],
)
@pytest.mark.parametrize("kind", ["log_probs", "probs", "logits"])
def test_wrong_number_of_axes(kind, shape, layout, message):
    with pytest.raises(InvalidValueError, match=re.escape(f"{kind} {message}")):
        getattr(MatrixBatch, f"from_{kind}")(np.zeros(shape), THREE, layout=layout)


def test_wrong_number_of_classes():
    with pytest.raises(
        AlphabetMismatchError,
        match=r"log_probs must have 3 classes, as the alphabet with its blank has, got 4 in shape "
        r"\(1, 2, 4\); check the alphabet and the layout",
    ):
        MatrixBatch.from_log_probs(np.zeros((1, 2, 4)), THREE)
    with pytest.raises(AlphabetMismatchError, match=r"probs\[1\] must have 3 classes, .*got 2"):
        MatrixBatch.from_probs([PROBS[0], np.full((1, 2), 0.5)], THREE)


def test_wrong_shape_in_a_list():
    with pytest.raises(
        InvalidValueError,
        match=r"logits\[1\] must have shape \(T, C\), got \(3,\); a list holds one matrix a line",
    ):
        MatrixBatch.from_logits([np.zeros((1, 3)), np.zeros(3)], THREE)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, complex, object, np.longdouble])
def test_wrong_dtype(dtype):
    values = np.zeros((1, 2, 3), dtype=dtype)
    name = re.escape(str(values.dtype))
    with pytest.raises(
        InvalidValueError,
        match=rf"logits must be float16, float32 or float64, got {name}; convert it first",
    ):
        MatrixBatch.from_logits(values, THREE)
    with pytest.raises(InvalidValueError, match=rf"logits\[0\] must be float16, .*got {name}"):
        MatrixBatch.from_logits([values[0]], THREE)


@pytest.mark.parametrize("layout", ["CTN", "ntc", None, 3])
def test_wrong_layout(layout):
    with pytest.raises(InvalidValueError, match=r"layout must be 'NTC' or 'TNC', got "):
        MatrixBatch.from_logits(np.zeros((1, 2, 3)), THREE, layout=layout)


def test_wrong_alphabet_type():
    with pytest.raises(
        InvalidValueError, match=r"alphabet must be a ctckit\.Alphabet, got str; make one with"
    ):
        MatrixBatch.from_logits(np.zeros((1, 2, 3)), "ab-")


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1], r"lengths must be 2 integers, one a matrix, got int64 of shape \(1,\)"),
        ([[1, 2]], r"lengths must be 2 integers, .*shape \(1, 2\)"),
        (2, r"lengths must be 2 integers, .*shape \(\)"),
        ([1.0, 2.0], r"lengths must be 2 integers, one a matrix, got float64"),
        ([True, True], r"lengths must be 2 integers, one a matrix, got bool"),
        ([1, 3], r"lengths must be 0 to 2, got 3 for matrix 1"),
        ([-1, 2], r"lengths must be 0 to 2, got -1 for matrix 0"),
    ],
)
def test_wrong_lengths(lengths, message):
    with pytest.raises(InvalidValueError, match=message):
        MatrixBatch.from_log_probs(LOGS, THREE, lengths=lengths)
    with pytest.raises(InvalidValueError, match=message):
        MatrixBatch.from_log_probs(list(LOGS), THREE, lengths=lengths)


def test_a_length_beyond_its_own_matrix():
    with pytest.raises(
        InvalidValueError, match=r"lengths must be 0 to T, got 2 for matrix 1 of 1 frames"
    ):
        MatrixBatch.from_log_probs([LOGS[0], LOGS[1, :1]], THREE, lengths=[2, 2])


def test_wrong_ids():
    with pytest.raises(InvalidValueError, match=r"ids must name each of the 2 matrices, got 1"):
        MatrixBatch.from_log_probs(LOGS, THREE, ids=["x"])
    with pytest.raises(InvalidValueError, match=r"ids must be strings, got 5; convert it with"):
        MatrixBatch.from_log_probs(LOGS, THREE, ids=["x", 5])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", ["log_probs", "probs", "logits"])
def test_nan_and_inf(kind, dtype):
    make = getattr(MatrixBatch, f"from_{kind}")
    values = (PROBS if kind == "probs" else LOGS).astype(dtype)
    values[1, 0, 2] = np.nan
    with pytest.raises(
        InvalidValueError,
        match=rf"{kind} must not hold NaN, got nan at matrix 1, frame 0, class 2; check",
    ):
        make(values, THREE)
    values[1, 0, 2] = np.inf
    with pytest.raises(
        InvalidValueError,
        match=rf"{kind} must be finite or -inf, got inf at matrix 1, frame 0, class 2",
    ):
        make(values, THREE)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_frame_of_logits_that_allows_nothing(dtype):
    logits = np.zeros((2, 2, 3), dtype=dtype)
    logits[1, 1] = -np.inf
    with pytest.raises(
        InvalidValueError, match="logits must allow some class, got only -inf at matrix 1, frame 1"
    ):
        MatrixBatch.from_logits(logits, THREE)


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        # one kind given as another: the message names the right constructor
        ("log_probs", [0.5, 0.25, 0.25], "log_probs must be 0 or below, got 0.5 at "
         "matrix 0, frame 1; use from_probs if these are probs"),
        ("log_probs", [0.0, 0.0, 1.0], "log_probs must be 0 or below, got 1 at "
         "matrix 0, frame 1; use from_probs if these are probs"),
        ("probs", [-0.69, -1.386, -1.386], "probs must be 0 to 1, got -1.386 at "
         "matrix 0, frame 1; use from_log_probs if these are log-probs"),
        ("log_probs", [-3.0, 7.0, 2.0], "log_probs must be 0 or below, got 7 at "
         "matrix 0, frame 1; use from_logits if these are logits"),
        ("log_probs", [-3.0, -2.0, -5.0], "exp(log_probs) must sum to 1 in each frame, got 0.19186 "
         "at matrix 0, frame 1; use from_logits if these are logits"),
        ("probs", [-3.0, 7.0, 2.0], "probs must be 0 to 1, got -3 at "
         "matrix 0, frame 1; use from_logits if these are logits"),
        ("probs", [0.5, 0.5, 0.5], "probs must sum to 1 in each frame, got 1.5 at "
         "matrix 0, frame 1; divide each frame by its sum, or use from_logits if these are logits"),
        ("probs", [0.0, 0.0, 0.0], "probs must sum to 1 in each frame, got 0 at matrix 0, frame 1"),
        # nearly right
        ("probs", [0.5, 0.26, 0.25], "probs must sum to 1 in each frame, got 1.01 at "
         "matrix 0, frame 1; divide each frame by its sum"),
        ("log_probs", np.log([0.5, 0.26, 0.25]), "exp(log_probs) must sum to 1 in each frame, got "
         "1.01 at matrix 0, frame 1; from_logits normalises"),
        ("log_probs", [-np.inf] * 3, "exp(log_probs) must sum to 1 in each frame, got 0 at"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_are_not_what_was_declared(kind, row, message, dtype):
    matrix = np.array([[0.25, 0.25, 0.5], row], dtype=dtype)
    if kind == "log_probs":
        matrix[0] = np.log(matrix[0])
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        getattr(MatrixBatch, f"from_{kind}")([matrix], THREE)


def test_the_message_counts_frames_within_the_matrix_and_uses_ids():
    logs = [LOGS[0], LOGS[0, :0], np.concatenate([LOGS[1], LOGS[1] + 1])]
    with pytest.raises(InvalidValueError, match="matrix 2, frame 2;"):
        MatrixBatch.from_log_probs(logs, THREE)
    with pytest.raises(InvalidValueError, match="matrix 'line-3', frame 2;"):
        MatrixBatch.from_log_probs(logs, THREE, ids=["line-1", "line-2", "line-3"])


@pytest.mark.parametrize(
    ("dtype", "total", "accepted"),
    [
        (np.float32, 1.004, True),
        (np.float32, 0.996, True),
        (np.float32, 1.006, False),
        (np.float64, 0.994, False),
        (np.float16, 1.015, True),
        (np.float16, 1.03, False),
    ],
)
def test_tolerance_of_the_sum(dtype, total, accepted):
    probs = np.full((1, 1, 3), total / 3)
    for make, values in (
        (MatrixBatch.from_probs, probs),
        (MatrixBatch.from_log_probs, np.log(probs)),
    ):
        if accepted:
            assert len(make(values.astype(dtype), THREE)) == 1
        else:
            with pytest.raises(InvalidValueError, match="must sum to 1 in each frame"):
                make(values.astype(dtype), THREE)


def test_every_bad_row_is_found_wherever_it_is():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(1, 40, 3)) * 10
    good = (logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))).astype(np.float32)
    assert len(MatrixBatch.from_log_probs(good, THREE)) == 1
    for frame in range(40):
        bad = good.copy()
        bad[0, frame] -= 0.01
        with pytest.raises(InvalidValueError, match=f"matrix 0, frame {frame};"):
            MatrixBatch.from_log_probs(bad, THREE)


def test_a_list_has_no_time_major_layout():
    with pytest.raises(InvalidValueError, match=r"layout must be 'NTC' for a list, .* got 'TNC'"):
        MatrixBatch.from_probs([np.full((2, 3), 1 / 3)], Alphabet("ab-", 2), layout="TNC")


@pytest.mark.parametrize("values", [[[[0.5, 0.5], [1.0]]], [[[0.5], [0.5, 0.5]]]])
def test_ragged_nested_lists_are_named(values):
    with pytest.raises(InvalidValueError, match=r"must be a rectangular array, got rows of uneq"):
        MatrixBatch.from_probs(values, Alphabet("a-", 1))


def test_ragged_lengths_are_named():
    with pytest.raises(InvalidValueError, match=r"lengths must be 2 integers, one a matrix, got"):
        MatrixBatch.from_probs(np.full((2, 3, 2), 0.5), Alphabet("a-", 1), lengths=[[1], [1, 2]])


def test_probs_a_little_below_zero_are_to_be_clipped():
    with pytest.raises(InvalidValueError, match="clip them to 0 and divide each frame by its sum"):
        MatrixBatch.from_probs(np.array([[[-1e-4, 1.0]]]), Alphabet("a-", 1))
