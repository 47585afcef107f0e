from studyhub.report import provenance
from studyhub.report.collect import collect


def test_provenance_of_every_trial(toy):
    results = collect(toy.write().end(lambda cell: "pending" if cell.arm == "implicit" else "finished").store, "toy")
    rows = provenance.trials(results).rows()
    assert len(rows) == 4 and rows[0][4] == toy.cells[0].trial
    assert rows[0][5:] == ["0123456789+", "cpu", "float32", "cpu kernel", "here", "cafe", "–"]
    assert rows[2][5:] == ["–"] * 7
    assert ["torch", "2.13.0", "2"] in provenance.versions(results).rows()
