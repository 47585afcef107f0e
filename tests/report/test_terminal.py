import io

from rich.console import Console

from studyhub.report.collect import collect
from studyhub.report.terminal import table


def shown(toy, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table(collect(toy.store, "toy"), console.width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_table_names_units_basins_and_states(toy):
    toy.write().end(lambda cell: "finished" if cell.arm == "sequential" else ("pending", "diverged")[cell.seed - 1])
    lines = [line.split() for line in shown(toy, 160)]
    assert ["arm", "period", "%", "%", "%", "%", "mm/d", "mm/d", "basins", "trials"] in lines
    assert lines[3][:2] == ["sequential", "test"] and lines[3][-3:] == ["12", "2", "finished"] and len(lines[3]) == 2 + 9 + 3
    assert lines[4] == ["implicit", "-", *["-"] * 9, "0", "1", "pending,", "1", "diverged"]


def test_a_basin_without_a_value_is_said(toy):
    lines = shown(toy.write().end(missing=("003",)), 200)
    assert lines[3].split()[2].endswith("*")
    assert any(line.startswith("*: without the basins in which the metric is not defined") for line in lines)


def test_a_narrow_terminal_gets_the_first_metrics_and_is_told_of_the_rest(toy):
    lines = shown(toy.write().end(), 80)
    assert max(map(len, lines)) <= 80
    assert "nse" in lines[1] and "peak_rmse" not in lines[1]
    assert any("peak_rmse: in the scores' file" in line for line in lines)


def test_nothing_finished_is_a_table_without_numbers(toy):
    assert any("2 pending" in line for line in shown(toy.write(), 200))
