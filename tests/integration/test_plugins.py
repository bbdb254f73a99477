"""A search with the method, metric and sampler of another package, in processes of its own (tests/plugin_package)."""

import json

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SPACE = "method: toy\nparameters:\n  unlearn_scale_lr: {low: 0.1, high: 9, log: true, why: The step size.}\n"


def test_a_study_of_plug_ins_is_searched_applied_and_verified_and_refused_without_them(make_workplace, toy_packages):
    place = make_workplace(
        method="toy",
        space="toy.yaml",
        published=[],
        fixed={"epochs": 1},
        sampler="toy_sampler",
        evaluation={"final": ["toy_margin"]},
        n_trials=2,
        confirm_seeds=1,
        tracking_uri="none",
    )
    (place.folder / "toy.yaml").write_text(SPACE)
    path = place.environment.get("PYTHONPATH")
    place.environment["PYTHONPATH"] = f"{path}:{toy_packages}" if path else str(toy_packages)
    searched = place.run("run", "study.yaml")
    assert searched.code in (0, 1), searched.err  # 1: no trial forgets well enough to be chosen
    assert "Skipping the method 'broken' of antisample-toy 1.0: RuntimeError: the toy is broken." in searched.err
    report = (place.directory / "report.html").read_text()
    assert "sampler &#39;toy_sampler&#39; of antisample-toy 1.0" in report

    applied = place.run("unlearn", "--study", "runs/small", "--trial", 0, "--out", "out")
    assert applied.code == 0, applied.err
    card = json.loads((place.folder / "out" / "card.json").read_text())
    assert [(each["kind"], each["name"]) for each in card["environment"]["plugins"]] == [
        ("method", "toy"),
        ("metric", "toy_margin"),
    ]
    verified = place.run("verify", "out/card.json")
    assert verified.code == 0, verified.out + verified.err
    assert "plug-in of the method toy" in verified.out

    place.environment["PYTHONPATH"] = path or ""
    needed = "needs the package antisample-toy 1.0 (method 'toy', metric family 'toy_margin'"
    for refused in (place.run("resume", "runs/small"), place.run("verify", "out/card.json")):
        assert refused.code == 2
        assert needed in refused.err
        assert "Traceback" not in refused.err
