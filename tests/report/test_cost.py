from studyhub.report import cost
from studyhub.report.collect import collect


def test_cost_adds_up_trials_and_says_units(toy):
    results = collect(toy.write().end(lambda cell: "finished" if cell.arm == "implicit" else "pending").store, "toy")
    table = cost.cost(results)
    assert table.rows()[0] == ["sequential", *["–"] * 11]
    row = dict(zip([column.key for column in table.columns], table.rows()[1], strict=True))
    assert row == {
        "arm": "implicit",
        "seconds_per_update": "0.250",
        "minutes": "1.50",
        "peak_memory_mib": "1\u202f000",
        "parameters": "1\u202f234",
        "iterations": "2.00",
        "residual": "0.90",
        "unconverged": "6",
        "cut_days": "4.0",
        "below_zero": "5.0",
        "balance": "0.000030",
        "device": "cpu",
    }
    assert {column.key: column.unit for column in table.columns}["minutes"] == "min"
