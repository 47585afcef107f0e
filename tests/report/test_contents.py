from studyhub.report import contents
from studyhub.report.collect import collect


def test_arms_show_what_differs_and_how_far_they_are(toy):
    results = collect(toy.write().end(lambda cell: "failed" if cell.arm == "implicit" and cell.seed == 2 else "finished").store, "toy")
    assert contents.arms(results).rows() == [["sequential", "8", "2 finished"], ["implicit", "9", "1 finished, 1 failed"]]


def test_basins_that_a_comparator_lacks_are_named(toy):
    results = collect(toy.write(seeds=(1,)).end().store, "toy")
    results.runs[0].result["dropped"] = {"not in the table": ["003", "007"]}
    assert contents.unscored(results).rows() == [["sequential", "2", "not in the table", "003, 007"]]


def test_unfinished_trials_have_their_cause(toy):
    ends = {"sequential": "diverged", "implicit": "failed"}
    results = collect(toy.write(seeds=(1,)).end(lambda cell: ends[cell.arm]).store, "toy")
    rows = contents.troubles(results).rows()
    assert rows[0][3:] == ["diverged", "during training, epoch 1, basin 000, store SM, day 1990-05-01"]
    assert rows[1][3:] == ["failed", "MemoryError: out of <memory>"]
