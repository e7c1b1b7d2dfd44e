"""The study's page says in words what does not beat its controls, what may be chance, and what the report printed."""

import re
from types import SimpleNamespace

import numpy as np

from celesta.probes.clustering import Clustering
from celesta.probes.cross_validation import Result, Task
from celesta.probes.splits import Split
from celesta.report import report2024
from celesta.report.page import Page
from celesta.report.study_text import comparison
from celesta.study import Method

NESTED, RANDOM = "latent:nested", "latent-random:nested"


def table_rows(page):
    """Cells of all table rows of a page, as text."""
    return [
        [re.sub("<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.S)
    ]


def result(score):
    return SimpleNamespace(score=score)


def groups(ami, pca):
    nothing = np.zeros((1, 2))
    return Clustering("kmeans", 4, pca, 0, np.zeros(1, np.int64), nothing, 0.0, ami, 0.0, 1.0)


def words(scores, p_values=None, clusterings=None):
    """What is said of the codec's latent, from (protocol, features) to a score."""
    best = {key: result(score) for key, score in scores.items()}
    study = SimpleNamespace(p_values=p_values or {}, clusterings=clusterings or {}, chosen=lambda: best)
    return comparison(study, NESTED, list(dict.fromkeys(name for name, _ in best)))


def test_who_loses_is_named_with_where():
    scores = {("P4", NESTED): 0.6, ("P4", "handcrafted"): 0.8, ("P4", RANDOM): 0.5}
    scores |= {("mood", NESTED): 0.6, ("mood", "handcrafted"): 0.6, ("mood", RANDOM): 0.7}
    said = words(scores)
    assert said == f"{NESTED} does not beat handcrafted under P4, mood; nor {RANDOM} under mood."


def test_a_lead_that_may_be_chance_is_called_so():
    scores = {("P4", NESTED): 0.9, ("P4", "handcrafted"): 0.8, ("P4", RANDOM): 0.5}
    said = words(scores, {("P4", NESTED, "handcrafted"): 0.2, ("P4", NESTED, RANDOM): 0.001})
    assert said.startswith(f"{NESTED} beats all of its controls.")
    assert said.endswith("Its lead may be chance (p >= 0.05) over handcrafted under P4.")


def test_clusters_count_too():
    scores = {("P4", NESTED): 0.9, ("P4", "handcrafted"): 0.8}
    found = {NESTED: [groups(0.1, 2), groups(0.6, 20)], "handcrafted": [groups(0.5, 2), groups(0.5, 20)]}
    assert words(scores, None, found) == f"{NESTED} does not beat handcrafted under K-Means on PCA(2)."


def test_without_a_control_nothing_is_claimed():
    assert "has no control" in words({("P4", NESTED): 0.9})


def test_the_report_s_classes_stand_beside_ours(tmp_path):
    labels = np.array(["blues", "metal"] * 5)
    rows = np.arange(10)
    artists = np.array([f"artist {i}" for i in rows])
    protocol = Task("P4", labels, ("blues", "metal"), artists, [Split(rows[:0], rows)], "accuracy")
    right = np.stack([labels == "blues", labels == "metal"], axis=1).astype(float)
    made = Result(protocol, "latent:cel-lr", Method.HEAD_FROZEN, rows, right[None], {})
    study = SimpleNamespace(results=[made], clusterings={}, about={"clustered": "P4"})
    page = Page("a", "b")
    report2024.add_comparison(page, study)
    text = page.write(tmp_path / "a.html").read_text()
    assert "not the same experiment" in text
    rows = table_rows(text)
    assert ["blues", "0.50", "0.38", "0.43", "8", "1.00", "1.00", "1.00", "5"] in rows
    assert ["jazz", "0.44", "0.67", "0.53", "12", "", "", "", ""] in rows


def test_printed_tables_agree_with_themselves():
    """Every F1 is the harmonic mean of precision and recall, and every recall a share of its support, as printed."""
    for table in (report2024.OWN_CLASSIFIER, report2024.XGBOOST):
        for precision, recall, f1, support in table.values():
            assert abs(recall * support - round(recall * support)) < 0.005 * support + 1e-9
            mean = 2 * precision * recall / max(precision + recall, 1e-9)
            assert abs(mean - f1) <= 0.011


def test_the_report_s_accuracy_is_computed_from_its_table(tmp_path):
    page = Page("a", "b")
    labels = np.array(["blues", "metal"] * 3)
    task = Task("naive", labels, ("blues", "metal"), labels, [Split(np.arange(0), np.arange(6))], "accuracy")
    found = Result(task, "latent:cel-2", "xgboost", np.arange(6), np.full((1, 6, 2), 0.5), {})
    report2024.add_comparison(page, SimpleNamespace(results=[found], clusterings={}, about={}))
    rows = table_rows(page.write(tmp_path / "a.html").read_text())
    assert any("0.495 (49 of 99)" in row for row in rows)
