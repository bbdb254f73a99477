"""What a result is held against, in the report."""

import html
import re

import pytest

from tuning.config.loading import parse_study
from tuning.study.attributes import CONFIRMATIONS, RETRAINING
from tuning.study.study import Study
from tuning.views.baseline_texts import share_text
from tuning.views.report import render_report

RUN = "search, a single run"


def section_of(study) -> str:
    text = render_report(study)
    return html.unescape(text[text.index('<div id="baselines">') : text.index('<section id="pareto">')])


def rows_of(text: str, part: str = "validation") -> dict[str, list[str]]:
    """Cells of a table by row, without tags."""
    table = text[text.index(f"On {part} images") :].partition("</table>")[0]
    rows = {}
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table, flags=re.S):
        name, *cells = (re.sub(r"<[^>]+>", "", c).strip() for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row))
        rows[name] = cells
    return rows


def test_every_row_has_the_same_columns_with_images_seconds_and_shares(deep_study):
    text = section_of(deep_study)
    rows = rows_of(text)
    assert list(rows) == [
        *(
            "Model",
            "original",
            "mask",
            f"published: trial 0 {RUN}",
            f"chosen: trial 1 {RUN}",
            "untrained",
            "reference",
        )
    ]
    assert len({len(cells) for cells in rows.values()}) == 1
    assert rows["Model"][:3] == [
        "forget accuracy 29 images",
        "retain accuracy 250 images",
        "probe_left training images",
    ]
    assert rows["mask"] == [
        "0.0 % 0 to 12 %",
        "95.0 % 92 to 97 %",
        "1.00",
        "100.0 %",
        "5.0",
        "0.52",
        "0 s",
        "0 s",
    ]
    chosen = rows[f"chosen: trial 1 {RUN}"]
    assert chosen[2:5] == ["0.60 standard error 0.02", "80.0 %", "3.0"]
    assert "±" not in "".join(chosen), "a single run has no spread"
    assert chosen[-2:] == ["1.0 s 0.5 %", "4.4 s 2 %"]
    assert rows["untrained"][-2:] == ["", ""]
    assert rows["reference"][-2:] == ["200 s 100 %", "200 s 100 %"]
    assert "One retraining without the forget set takes 200 s (measured)." in text
    assert list(rows_of(text, "test")) == list(rows)
    assert '<tr class="chosen"><th scope="row">chosen: trial 1 <small class="runs">' in text


def test_the_cost_of_a_retraining_that_was_not_done_is_an_estimate_or_not_known(deep_study):
    deep_study.note(RETRAINING, {"epochs": 10, "retain_images": 1000})
    assert "(estimated from the speed of the study's trials)" in section_of(deep_study)
    deep_study.note(RETRAINING, {"epochs": 0, "retain_images": 0})
    text = section_of(deep_study)
    assert "The time of a retraining is not known, so there are no shares of it." in text
    assert rows_of(text)[f"chosen: trial 1 {RUN}"][-2:] == ["1.0 s", "4.4 s"]


def confirm(study, deep_figures, *forget):
    runs = [
        {"number": 1, "seed": 11 + i, "metrics": deep_figures(each, 0.93, 0.5), "counts": {}}
        for i, each in enumerate(forget)
    ]
    study.note(CONFIRMATIONS, runs)


def test_confirmed_figures_lead_and_say_so(deep_study, deep_figures):
    confirm(deep_study, deep_figures, 0.0, 0.02)
    page = html.unescape(render_report(deep_study))
    headline = "Confirmed with 2 fresh seeds, on test images: forget accuracy 1.0 ± 1.4 %"
    assert page.index(headline) < page.index("<strong>Chosen: trial 1")
    text = section_of(deep_study)
    assert text.index("On test images") < text.index("On validation images")
    names = list(rows_of(text))
    assert names.index("chosen: trial 1 confirmed, 2 fresh seeds") + 1 == names.index(f"chosen: trial 1 {RUN}")


def test_a_single_confirmation_has_no_spread(deep_study, deep_figures):
    confirm(deep_study, deep_figures, 0.0)
    page = html.unescape(render_report(deep_study))
    assert re.search("Confirmed with 1 fresh seed, on test images: forget accuracy 0.0 % [^;]*; a single run", page)
    result = page[page.index('id="result"') : page.index('id="pareto"')]
    assert "±" not in result


def test_the_floor_stands_in_the_columns_of_distances_alone(make_deep_study, deep_figures):
    references = {
        f"reference {i}": deep_figures(0.0, 0.95, 0.4) | {"validation/retrained_gap": 0.02 * i} for i in (1, 2)
    }
    text = section_of(
        make_deep_study([(0.0, 0.945, 0.6)], {**references, "floor": {"validation/retrained_gap_floor": 0.013}})
    )
    rows = rows_of(text)
    floor = rows["floor: between references"]
    at = next(at for at, name in enumerate(rows["Model"]) if name.startswith("gap to the reference"))
    assert floor[at] == "1.3"
    assert not any(cell for place, cell in enumerate(floor) if place != at)
    assert "The floor is how far two references are apart" in text


@pytest.mark.parametrize(
    ("left", "remark"),
    [
        (0.99, "no deeper than a mask"),
        (0.2, "over-forgotten: less is left than in networks that never saw the class"),
    ],
)
def test_what_is_to_be_said_of_the_depth_stands_beside_the_chosen_trial(make_deep_study, left, remark):
    text = section_of(make_deep_study([(0.0, 0.945, left)]))
    assert f"{RUN}</small> <small>{remark}</small>" in text
    assert text.count(remark) == 2, "in both tables, for one row each"


def test_an_uninformative_probe_is_called_so_and_says_nothing_of_the_chosen_trial(make_deep_study, deep_figures):
    silent = {name: deep_figures(0.0, 0.95, 1.0, 0.0) for name in ("mask", "untrained")}
    text = section_of(make_deep_study([(0.0, 0.945, 1.0, 0.0)], baselines=silent))
    assert "probe_left <small>uninformative here</small>" in text
    assert "no deeper than a mask" not in text


def test_an_older_study_lacks_rows_and_columns(small_study):
    text = section_of(small_study)
    rows = rows_of(text)
    assert list(rows) == ["Model", "original", f"published: trial 0 {RUN}", f"chosen: trial 0 {RUN}"]
    assert rows["Model"][:2] == ["forget accuracy", "retain accuracy"]
    assert "probe" not in text
    assert "mask" not in text
    assert "On test images" not in text


def test_where_a_row_does_not_apply_it_says_why(values, make_study):
    text = section_of(make_study(parse_study(values | {"forget": {"samples": [1, 2, 3]}})))
    assert "does not apply: a mask hides whole classes, and this request is for single images" in text
    assert "The mask is" not in text
    assert "accuracy on unseen images" in text


def test_a_study_that_has_measured_nothing_says_so(config):
    config.directory.mkdir(parents=True)
    assert "Nothing has been measured yet." in section_of(Study(config))


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, ""), (0.0, ""), (0.0001, "0.01 %"), (0.02, "2 %"), (1.0, "100 %"), (9.9, "990 %"), (33.4, "33 times")],
)
def test_shares_are_percent_until_they_are_many_retrainings(share, text):
    assert share_text(share) == text
