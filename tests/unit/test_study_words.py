"""The study's page says in words what does not beat its controls, what may be chance, and what the report printed."""

from types import SimpleNamespace

import numpy as np

from celesta.probes.clustering import Clustering
from celesta.probes.cross_validation import Result, Task
from celesta.probes.splits import Split
from celesta.report import report2024
from celesta.report.page import Page
from celesta.report.study import _in_words

NESTED, RANDOM = "latent:nested", "latent-random:nested"


def result(score):
    return SimpleNamespace(row=lambda: {"score": score})


def groups(ami, pca):
    nothing = np.zeros((1, 2))
    return Clustering("kmeans", 4, pca, 0, np.zeros(1, np.int64), nothing, 0.0, ami, 0.0, 1.0)


def words(scores, p_values=None, clusterings=None):
    """What is said of the codec's latent, from (protocol, features) to a score."""
    study = SimpleNamespace(p_values=p_values or {}, clusterings=clusterings or {})
    best = {key: result(score) for key, score in scores.items()}
    return _in_words(study, best, NESTED, list(dict.fromkeys(name for name, _ in best)))


def test_who_loses_is_named_with_where():
    scores = {("P4", NESTED): 0.6, ("P4", "handcrafted"): 0.8, ("P4", RANDOM): 0.5}
    scores |= {("mood", NESTED): 0.6, ("mood", "handcrafted"): 0.6, ("mood", RANDOM): 0.7}
    said = words(scores)
    assert said == f"{NESTED} does not beat handcrafted under P4, mood; nor {RANDOM} under mood."


def test_a_lead_that_may_be_chance_is_called_so():
    scores = {("P4", NESTED): 0.9, ("P4", "handcrafted"): 0.8, ("P4", RANDOM): 0.5}
    said = words(scores, {("P4", NESTED, "handcrafted"): 0.2, ("P4", NESTED, RANDOM): 0.001})
    assert said.startswith(f"{NESTED} is ahead of all of its controls everywhere.")
    assert said.endswith("Its lead may be chance (p >= 0.05) over handcrafted under P4.")


def test_clusters_count_too():
    scores = {("P4", NESTED): 0.9, ("P4", "handcrafted"): 0.8}
    found = {NESTED: [groups(0.1, 2), groups(0.6, 20)], "handcrafted": [groups(0.5, 2), groups(0.5, 20)]}
    assert words(scores, None, found) == f"{NESTED} does not beat handcrafted under K-Means on PCA(2)."


def test_without_a_control_nothing_is_claimed():
    assert "without a control" in words({("P4", NESTED): 0.9})


def test_the_report_s_classes_stand_beside_ours(tmp_path):
    labels = np.array(["blues", "metal"] * 5)
    rows = np.arange(10)
    artists = np.array([f"artist {i}" for i in rows])
    protocol = Task("P4", labels, ("blues", "metal"), artists, [Split(rows[:0], rows)], "accuracy")
    right = np.stack([labels == "blues", labels == "metal"], axis=1).astype(float)
    made = Result(protocol, "latent:cel-lr", "report's head, frozen", rows, right[None], {})
    study = SimpleNamespace(results=[made], clusterings={}, about={"clustered": "P4"})
    page = Page("a", "b")
    report2024.beside_the_report(page, study)
    text = page.write(tmp_path / "a.html").read_text()
    assert "not the same experiment" in text
    assert "<td>blues</td><td>0.50</td><td>0.38</td><td>0.43</td><td>8</td><td>1.00</td>" in text
    assert "<td>jazz</td><td>0.44</td><td>0.67</td><td>0.53</td><td>12</td><td></td>" in text


def test_the_report_s_supports_are_what_it_counted():
    assert sum(row[3] for row in report2024.OWN_CLASSIFIER.values()) == 100
    assert sum(row[3] for row in report2024.XGBOOST.values()) == 99
    for table, right in ((report2024.OWN_CLASSIFIER, 52), (report2024.XGBOOST, 49)):
        assert round(sum(recall * support for _, recall, _, support in table.values())) == right
