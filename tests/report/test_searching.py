import json

from studyhub.report import searching
from studyhub.report.collect import collect


def test_what_searches_have_chosen_is_told(toy):
    toy.write().end()
    tried = [({"hidden_size": "8", "learning_rate": 0.0123456}, [0.75]), ({"hidden_size": "4", "learning_rate": 0.1}, None)]
    rows = [{"number": n, "params": params, "values": values} for n, (params, values) in enumerate(tried)]
    entry = {"arm": "implicit", "fold": 1, "done": True, "chosen": tried[0][0], "budget": 2, "objectives": ["nse"], "trials": rows}
    open_one = entry | {"arm": "sequential", "done": False, "chosen": None, "trials": rows[:1]}
    text = json.dumps([entry, open_one, entry | {"arm": "gone"}])
    (toy.store.study_folder("toy") / "searches.json").write_text(text)
    assert searching.searched(collect(toy.store, "toy")).rows() == [
        ["implicit", "1", "2 of 2", "NSE 0.750", "hidden_size 8, learning_rate 0.01235"],
        ["sequential", "1", "1 of 2", "", "not yet"],
    ]
