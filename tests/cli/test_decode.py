"""The command `decode`: options, what is decoded, how it ends."""

from __future__ import annotations

import pytest

from ctckit import list_decoders, load_decoder


def rows_of(text):
    return [line.split("\t") for line in text.splitlines()]


def test_screen_shows_id_text_log_prob_and_score(invoke, dump):
    result = invoke("decode", "--decoder", "bestpath")
    decoded = load_decoder("bestpath", dump.batch.alphabet).decode_batch(dump.batch)
    assert result.exit_code == 0
    assert rows_of(result.stdout) == [
        [name, one[0].text, f"{one[0].log_prob:.6g}", f"{one[0].score:.6g}"]
        for name, one in zip(dump.ids, decoded, strict=True)
    ]


def test_dump_may_be_named(invoke, dump):
    dump.path.rename(dump.path.parent / "other")
    assert invoke("decode", "other").exit_code == 0
    result = invoke("decode")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: dump must be an existing folder, got 'dump'; check the path\n"
    )


def test_beam_search_is_the_default_and_takes_its_options(invoke, dump):
    assert invoke("decode").stdout == invoke("decode", "--decoder", "beamsearch").stdout
    narrow = invoke("decode", "--beam-width", "1").stdout
    assert narrow == invoke("decode", "--decoder=beamsearch", "--beam-width=1").stdout
    decoder = load_decoder("beamsearch", dump.batch.alphabet, beam_width=1)
    assert [row[1] for row in rows_of(narrow)] == decoder.decode_batch(dump.batch).texts()
    assert narrow != invoke("decode").stdout


def test_n_best_adds_a_rank(invoke, dump):
    rows = rows_of(invoke("decode", "--n-best", "3").stdout)
    decoder = load_decoder("beamsearch", dump.batch.alphabet)
    decoded = decoder.decode_batch(dump.batch, n_best=3)
    assert [row[:3] for row in rows] == [
        [name, str(rank), one.text]
        for name, line in zip(dump.ids, decoded, strict=True)
        for rank, one in enumerate(line, start=1)
    ]
    assert {row[1] for row in rows} == {"1", "2", "3"}
    assert [row[1] for row in rows if row[0] == "line 1"] == ["1"]


def test_threads_do_not_change_the_result(invoke, dump):
    assert invoke("decode", "--threads", "1").stdout == invoke("decode", "--threads", "3").stdout


def test_word_beam_search_as_typed(invoke, dump, folder):
    (folder / "corpus.txt").write_text("ab cab bé a c", encoding="utf-8")
    result = invoke("decode", "--decoder", "wordbeamsearch", "--corpus", "corpus.txt")
    decoder = load_decoder("wordbeamsearch", dump.batch.alphabet, corpus="corpus.txt")
    assert result.exit_code == 0
    assert [row[1] for row in rows_of(result.stdout)] == decoder.decode_batch(dump.batch).texts()


@pytest.mark.parametrize(("said", "separator"), [("none", None), ("None", None), ("b", "b")])
def test_none_on_the_command_line(invoke, dump, folder, said, separator):
    (folder / "corpus.txt").write_text("acac cé aca", encoding="utf-8")
    options = ["--corpus", "corpus.txt", "--word-characters", "acé", "--word-separator", said]
    result = invoke("decode", "--decoder", "wordbeamsearch", *options)
    decoder = load_decoder(
        "wordbeamsearch",
        dump.batch.alphabet,
        corpus="corpus.txt",
        word_characters="acé",
        word_separator=separator,
    )
    assert result.exit_code == 0
    assert [row[1] for row in rows_of(result.stdout)] == decoder.decode_batch(dump.batch).texts()


def test_a_word_separator_that_the_alphabet_lacks(invoke, dump, folder):
    (folder / "corpus.txt").write_text("ab", encoding="utf-8")
    options = ["--corpus", "corpus.txt", "--word-separator", "no"]
    result = invoke("decode", "--decoder", "wordbeamsearch", *options)
    assert result.exit_code == 1
    assert result.stderr.startswith("ctckit: error: word_separator must be one of the alphabet's ")


def test_word_beam_search_without_its_corpus(invoke, dump):
    result = invoke("decode", "--decoder", "wordbeamsearch")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "ctckit: error: corpus must be given to the decoder wordbeamsearch, got nothing; it is: "
    )


def test_missing_corpus_file(invoke, dump):
    result = invoke("decode", "--decoder", "wordbeamsearch", "--corpus", "none.txt")
    assert result.exit_code == 1
    assert "none.txt" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_help_lists_decoders_and_the_defaults_options(invoke):
    text = invoke("decode", "--help").stdout
    assert "Options of the decoder beamsearch (the default):" in text
    assert "[default: 25; 1 to" in text
    listed = ", ".join(sorted({info.name for info in list_decoders()}))
    assert listed.startswith("beamsearch, bestpath, ")
    assert listed in " ".join(text.split())
    assert "ctckit decode --decoder NAME --help" in text
    assert "--corpus" not in text


@pytest.mark.parametrize("args", [["--decoder", "chatty"], ["--decoder=chatty"]])
def test_help_of_a_decoders_options(invoke, plugins, args):
    text = invoke("decode", *args, "--help").stdout
    section = text.partition("Options of the decoder chatty:\n")[2].partition("\n\n")[0]
    assert [line.strip() for line in section.splitlines()] == [
        "--mode Words|NGrams           What to do.  [default: Words]",
        "--smoothing NUMBER            How smooth.  [default: 0.1; 0 to 1]",
        "--end-words / --no-end-words  Whether to end words.  [default: yes]",
        "--extra PATH                  A file.",
    ]
    assert "--beam-width" not in text


def test_help_of_a_decoder_with_a_required_option(invoke, plugins):
    text = invoke("decode", "--decoder", "needy", "--help").stdout
    assert "--size INTEGER  How big.  [required; at least 1]" in text


def test_every_type_of_option_arrives(invoke, plugins, dump):
    result = invoke("decode", "--decoder", "chatty")
    assert result.stderr == "['Words', 0.1, True, None]\n"
    flags = ["--mode", "NGrams", "--smoothing", "0.5", "--no-end-words", "--extra", "a b.txt"]
    result = invoke("decode", "--decoder", "chatty", *flags)
    assert result.stderr == "['NGrams', 0.5, False, PosixPath('a b.txt')]\n"
    assert invoke("decode", "--decoder", "chatty", "--end-words").stderr.startswith(
        "['Words', 0.1, T"
    )


WRONG = [
    (
        ["--decoder", "beamserch"],
        "decoder must be installed, got 'beamserch'; did you mean 'beamsearch'? installed: ",
    ),
    (
        ["--decoder=beamserch", "--help"],
        "decoder must be installed, got 'beamserch'; did you mean 'beamsearch'? installed: ",
    ),
    (
        ["--beam-wdith", "5"],
        "option must be one of ctckit decode's, got '--beam-wdith'; did you mean '--beam-width'? ",
    ),
    (
        ["--decoder", "bestpath", "--beam-width", "5"],
        "option must be one of ctckit decode's, got '--beam-width'; it is an option of "
        "--decoder {beam_width}",
    ),
    (
        ["--corpus", "words.txt"],
        "option must be one of ctckit decode's, got '--corpus'; it is an option of "
        "--decoder {corpus}",
    ),
    (
        ["--corpsu", "words.txt"],
        "option must be one of ctckit decode's, got '--corpsu'; did you mean '--corpus' of "
        "--decoder {corpus}?",
    ),
    (["--zzz"], "option must be one of ctckit decode's, got '--zzz'; see 'ctckit decode --help'"),
    (["--decoder"], "decoder must have a value, got nothing; write --decoder VALUE"),
    (["dump", "tx", "ty"], "arguments must be DUMP, got 'tx ty' besides; see 'ctckit decode --h"),
    (["--decoder", "laterule", "--n-best", "3"], "n_best must be 1 to 2, got 3; lower it"),
    (["--output", "x.csv/"], "output must be a file, got 'x.csv/', which names a folder; give a "),
    (["--output", "x.csv/."], "output must be a file, got 'x.csv/.', which names a folder; give "),
    (["--beam-width", "0"], "beam_width must be an integer from 1 to 100000, got 0; it is: "),
    (["--beam-width", "x"], "beam_width must be an integer from 1 to 100000, got 'x'; it is: "),
    (["--n-best", "0"], "n_best must be an integer of at least 1, got 0; it is: "),
    (["--n-best", "26"], "n_best must be 1 to beam_width (25), got 26; raise beam_width"),
    (["--threads", "0"], "threads must be an integer of at least 1, got 0; it is: "),
    (["--threads", "two"], "threads must be an integer of at least 1, got 'two'; it is: "),
    (["--output", "x.doc"], "output must end in .txt, .csv, .jsonl, .parquet, got 'x.doc'; the e"),
    (["--output", "texts"], "output must end in .txt, .csv, .jsonl, .parquet, got 'texts'; the "),
    (["--output", "x.json"], "output must end in .txt, .csv, .jsonl, .parquet, got 'x.json'; did "),
    (
        ["--output", "x.txt", "--n-best", "2"],
        "output must end in .csv, .jsonl or .parquet with --n-best 2, got 'x.txt'; ",
    ),
    (
        ["--decoder", "chatty", "--mode", "Wrods"],
        "mode must be one of Words, NGrams, got 'Wrods'; ",
    ),
    (
        ["--decoder", "chatty", "--smoothing", "2"],
        "smoothing must be a finite number from 0 to 1, ",
    ),
    (
        ["--decoder", "needy"],
        "size must be given to the decoder needy, got nothing; it is: how big",
    ),
]


@pytest.mark.parametrize(("args", "message"), WRONG)
def test_wrong_usage(invoke, plugins, dump, folder, decoders_with, args, message):
    result = invoke("decode", *args)
    for option in ("beam_width", "corpus"):
        message = message.replace(f"{{{option}}}", decoders_with(option))
    assert result.stderr.startswith(f"ctckit: error: {message}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert result.exit_code == 2
    assert [path.name for path in folder.iterdir()] == ["dump"]


FAILURES = [
    ("broken", "decoder 'broken' of fakes 1.2.0 must be importable, got ModuleNotFoundError: "),
    ("twin", "decoder names must be unique, got 'twin' from fakes 1.2.0 and twins 0.9; "),
    ("clash", "options of decoder 'clash' must differ from the command's own, got '--output'; "),
    (
        "crasher",
        "decoder 'crasher' of fakes 1.2.0 failed on matrix 'line 2' (line 3 of 10): Runtime",
    ),
    (
        "quitter",
        "decoder 'quitter' of fakes 1.2.0 must start, got SystemExit: I quit; check ",
    ),
    ("quitting", "decoder 'quitting' of fakes 1.2.0 must be importable, got SystemExit: 3; re"),
    (
        "stumbler",
        "decoder 'stumbler' of fakes 1.2.0 must start, got KeyError: 'lost'; check ",
    ),
]


@pytest.mark.parametrize(("name", "message"), FAILURES)
def test_failing_plugins(invoke, plugins, dump, name, message):
    result = invoke("decode", "--decoder", name, "--threads", "1")
    assert result.stderr.startswith(f"ctckit: error: {message}")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 1


def test_a_broken_default_decoder_leaves_the_help(invoke, monkeypatch, plugins):
    monkeypatch.setattr("ctckit.cli.decoding.DEFAULT", "broken")
    result = invoke("decode", "--help")
    assert result.exit_code == 0
    assert "Installed decoders:" in result.stdout
    assert invoke("decode").stderr.startswith(
        "ctckit: error: decoder 'broken' of fakes 1.2.0 must "
    )


def test_damaged_shard_is_told_and_the_rest_is_done(invoke, damaged):
    result = invoke("decode", "--decoder", "bestpath", "--output", "x.txt")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"ctckit: warning: {damaged.name} is damaged: ")
    assert result.stderr.count("\n") == 1
    assert len((damaged.parents[1] / "x.txt").read_text().splitlines()) == 10


def test_damaged_manifest(invoke, dump):
    (dump.path / "manifest.json").write_text('{"version": 1, "alph')
    result = invoke("decode")
    assert result.exit_code == 1
    assert result.stderr.startswith("ctckit: error: manifest")
    assert result.stderr.count("\n") == 1
