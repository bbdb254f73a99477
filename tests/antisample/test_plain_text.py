"""Text from outside is shown as text, wherever it is printed."""

import sys
import unicodedata

import pytest

from antisample.plain_text import markdown_block, markdown_code, markdown_text, plain_text, spreadsheet_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("cat", "cat"),
        ("Åsa, 猫, ünï 💥", "Åsa, 猫, ünï 💥"),
        ("C:\\cats", "C:\\cats"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x00\x07\x7f\x9b", "\\x00\\x07\\x7f\\x9b"),
        ("cat\u202egod", "cat\\u202egod"),
        ("c\u200bat\ufeff\u2028\u2066", "c\\u200bat\\ufeff\\u2028\\u2066"),
        ("\ud800\udcff", "\\ud800\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        ("no\u00a0break", "no\u00a0break"),
    ],
)
def test_what_acts_is_written_as_an_escape(text, shown):
    assert plain_text(text) == shown
    assert plain_text(shown) == shown


def test_lines_of_a_message_stay_lines():
    assert plain_text("a\n\tb\r\x1b", lines=True) == "a\n\tb\\r\\x1b"


def test_no_character_of_all_acts():
    for first in range(0, sys.maxunicode + 1, 256):
        text = plain_text("".join(map(chr, range(first, first + 256))))
        text.encode("utf-8")
        assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & set(map(unicodedata.category, text)), hex(first)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat", "cat"),
        ("speaker_17, x_1", "speaker_17, x_1"),
        ("_cat_", "\\_cat\\_"),
        ("**cat**", "\\*\\*cat\\*\\*"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("R&D &lt;", "R&amp;D &amp;lt;"),
        ("[x](javascript:1) ![y](z)", "\\[x\\](javascript:1) !\\[y\\](z)"),
        ("a|b\n# c", "a\\|b\\\\n\\# c"),
        ("https://example.org www.example.org", "https\\://example.org www\\.example.org"),
        ("\\<b>", "\\\\&lt;b&gt;"),
        ("`x` ~~y~~ $z$", "\\`x\\` \\~\\~y\\~\\~ \\$z\\$"),
        ("\x1b[31m", "\\\\x1b\\[31m"),
    ],
)
def test_markup_is_text_in_markdown(text, shown):
    assert markdown_text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a.pt", "`a.pt`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("a``b|c\n", "```a``b|c\\n```"),
    ],
)
def test_code_ends_where_the_text_ends(text, shown):
    assert markdown_code(text) == shown


def test_a_block_of_code_holds_one_line():
    assert markdown_block("a\n```\n# b") == ["````", "a\\n```\\n# b", "````"]
    assert markdown_block("antisample verify") == ["```", "antisample verify", "```"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", "' =1"),
        ("\t=1", "\\t=1"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(text, shown):
    assert spreadsheet_text(text) == shown
