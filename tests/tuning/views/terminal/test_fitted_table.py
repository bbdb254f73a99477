"""Figures are whole however narrow the terminal is, and in ASCII where it takes that alone."""

import io
import re

import pytest
from rich.console import Console

from antisample.export.verification.statements import Check, Unchecked, Verification
from antisample.toy.problem import ToyRow
from search_spaces import NumberParameter, load_space
from tuning.cli.commands.spaces import spaces
from tuning.reproduction.toy import toy_table
from tuning.study.attributes import CONFIRMATIONS, ORIGINAL, ORIGINAL_COUNTS
from tuning.study.outcome import find_outcome
from tuning.views.terminal.fitted_table import Column, FittedTable
from tuning.views.terminal.live import front_table, live_view
from tuning.views.terminal.outcome import print_outcome
from tuning.views.terminal.verdict import print_verification

WIDTHS = (20, 25, 30, 40, 50, 60, 80, 120)


def printed(width, *parts):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for part in parts:
        console.print(part)
    text = console.file.getvalue()
    assert max(len(line) for line in text.splitlines()) <= width
    return text


def words(text):
    return set(re.sub(r"[^\w.%±+-]", " ", text).split())


@pytest.fixture
def study(config, make_study, metrics):
    """Two trials on the front and figures with fresh seeds."""
    study = make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    study.note(ORIGINAL, {**metrics(0.987, 0.912), **{f"test/{k}": 0.9 for k in
               ("forget_accuracy", "retain_accuracy", "forget_confidence")}})  # fmt: skip
    study.note(ORIGINAL_COUNTS, {"validation/forget": 1029, "validation/retain": 10258, "test/forget": 1037,
                                   "test/retain": 9323})  # fmt: skip
    for key, (forget, retain) in enumerate([(0.0, 0.8765), (0.1234, 0.9012)]):
        study.ask(str(key))
        study.complete(str(key), metrics(forget, retain, 0.4321), {})
    for number in (0, 1):
        found = {"test/forget_accuracy": 0.0123, "test/retain_accuracy": 0.8877, "test/forget_confidence": 0.055}
        runs = study.noted(CONFIRMATIONS, [])
        study.note(CONFIRMATIONS, [*runs, *({"number": number, "seed": s, "counts": {}, "metrics": found}
                                              for s in (7, 8))])  # fmt: skip
    return study


@pytest.mark.parametrize("width", WIDTHS)
def test_the_outcome_has_its_main_figures_whole(study, width):
    text = printed(width, front_table(find_outcome(study)))
    assert {"0.0%", "87.6%", "12.3%", "90.1%", "98.7%", "91.2%"} <= words(text)
    whole = io.StringIO()
    print_outcome(Console(file=whole, width=width, highlight=False), find_outcome(study), study.config)
    for figure in ("1.23% ± 0.00", "88.77% ± 0.00", "90.00%"):
        assert figure in whole.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_view_has_them_too(study, width):
    failures = ("trial 5 failed: DivergedError: the loss is 1234567.890625",)
    text = printed(width, live_view(study, 71.0, 16, failures))
    assert {"0.0%", "87.6%", "12.3%", "90.1%", "1234567.890625", "2", "71"} - words(text) <= {"71"}
    assert "16 busy" in " ".join(text.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_checks_of_a_card_and_the_toy_problem_have_them_too(width):
    checks = (
        Check("validation/forget_accuracy", 0.0123457, 0.5432109, False),
        Check("seed", 4, 4, True),
        Check("weights", "a" * 64, None, False),
    )
    console = Console(file=io.StringIO(), width=width)
    print_verification(console, Verification(checks, (Unchecked("time", 1.2345, "not measured"),)))
    text = console.file.getvalue()
    assert {"0.0123457", "0.543211", "a" * 64, "missing", "NO", "yes", "DIFFERS", "1.2345"} <= words(text)
    assert text.splitlines()[-1] == "1 statement holds, 2 differ, 1 stated but not checked."
    rows = [
        ToyRow(network, metric, 20, 0.98765, 0.01234, 0.91, 0.999)
        for network in ("original", "antisample")
        for metric in ("retain_accuracy", "forget_accuracy")
    ]
    text = " ".join(printed(width, toy_table(rows)).split())
    assert {"98.8", "1.2", "91.0", "99.9"} <= words(text)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_space_has_its_bounds_whole(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    spaces("antisample", as_json=False)
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) <= width
    for name, parameter in load_space("antisample").parameters.items():
        if isinstance(parameter, NumberParameter):
            assert {f"{parameter.low:g}", f"{parameter.high:g}"} <= words(text), name


def test_columns_of_a_high_rank_go_first_and_the_first_rank_stays():
    table = FittedTable("t", [Column("a"), Column("b", rank=1), Column("c", rank=2)])
    table.add_row("11111111", "22222222", "33333333")
    assert "33333333" in printed(40, table)
    assert "33333333" not in printed(30, table)
    assert "22222222" in printed(30, table)
    assert "22222222" not in printed(20, table)
    narrow = FittedTable("t", [Column("a"), Column("b"), Column("c", rank=2)])
    narrow.add_row("11111111", "22222222", "33333333")
    assert printed(12, narrow).split() == ["t", "a", "11111111", "b", "22222222", "c", "33333333"], (
        "as a list it has all"
    )


def test_notes_behind_figures_go_where_there_is_no_room_and_their_legend_with_them():
    table = FittedTable(
        "t", [Column("name", text=True), Column("share", note_rank=2), Column("other", rank=1)], "why"
    )
    table.add_row("one", "0.0% [0, 11.7]", "2.00")
    assert "0.0% [0, 11.7]" in printed(40, table)
    assert printed(40, table).startswith("t; why")
    narrow = printed(30, table)
    assert ("0.0%" in narrow, "2.00" in narrow, "[" in narrow, "why" in narrow) == (True, True, False, False)


@pytest.mark.parametrize(("width", "limits"), [(120, True), (100, True), (80, True), (40, False)])
def test_shares_of_images_have_their_limits_where_they_fit(study, width, limits):
    text = printed(width, front_table(find_outcome(study)))
    assert ("0.0% [0, 0.4]" in text) is limits
    assert ("in brackets: 95 % limits" in " ".join(text.split())) is limits
    whole = io.StringIO()
    print_outcome(Console(file=whole, width=width, highlight=False), find_outcome(study), study.config)
    assert ("88.77% ± 0.00 [88.1, 89.4]" in whole.getvalue()) is (width >= 100)
    assert ("1.23% ± 0.00 [0.7, 2.1]" in whole.getvalue()) is limits


def test_a_list_breaks_between_name_and_figure():
    table = FittedTable("", [Column("confidence"), Column("b")])
    table.add_row("123456789", "1")
    assert printed(11, table).split("\n")[-4:-1] == ["confidence", "123456789", "b 1"]


def test_where_the_output_takes_ascii_alone_characters_are_replaced_and_columns_stay_aligned():
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"), width=60, highlight=False)
    table = FittedTable("n ± s", [Column("name", text=True), Column("figure")])
    table.add_row("one…", "1.0 ± 0.1")
    table.add_row("zwölf", "12.0")
    console.print(table)
    console.file.flush()
    lines = raw.getvalue().decode("ascii").splitlines()
    assert "1.0 +/- 0.1" in lines[4]
    assert "one..." in lines[4]
    assert len({len(line.rstrip()) for line in lines[1:]}) == 1
