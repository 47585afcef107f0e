from dataclasses import replace

import pandas as pd
import pytest

from studyhub.data.facts_table import write_facts
from studyhub.data.shards import Shards, write
from studyhub.errors import StoreError


def saved(folder, basins, **options) -> Shards:
    return Shards.open(write(folder, basins, source="test", settings={}, **options))


def test_facts_attributes_and_names_of_categories(tmp_path, make_basin):
    one = make_basin("01", seed=2)
    facts = {"gauge_lat": 40.5, "gauge_lon": -90, "area_km2": 12.0, "continent": "North America", "huc_02": "07", "climate_group": "cold"}
    basins = [
        replace(one, facts=facts, attributes={"area": 12.0, "rock": 1.0}),
        replace(one, name="02", facts={}, attributes={"area": 3.0, "rock": -1.0}),
    ]
    shards = saved(tmp_path / "set_a", basins, codes={"rock": ("granite", "shale")})
    path = tmp_path / "basins.parquet"
    write_facts(shards, {"02", "01"}, path)
    table = pd.read_parquet(path)
    assert list(table) == ["basin", "lat", "lon", "area_km2", "climate_group", "continent", "huc_02", "dataset", "area", "rock"]
    first, second = table.to_dict("records")
    assert (first["basin"], first["lat"], first["lon"], first["huc_02"], first["rock"], first["area"]) == (
        "01",
        40.5,
        -90.0,
        "07",
        "shale",
        12.0,
    )
    assert pd.isna(second["lat"]) and pd.isna(second["continent"]) and pd.isna(second["rock"])
    assert set(table["dataset"]) == {"set_a"}


def test_written_anew_only_where_something_has_changed(tmp_path, make_basin):
    shards, path = saved(tmp_path / "shards", [make_basin("a"), make_basin("b", seed=1)]), tmp_path / "basins.parquet"
    write_facts(shards, ["a"], path)
    before = path.stat().st_ino
    write_facts(shards, ["a"], path)
    assert path.stat().st_ino == before
    write_facts(shards, ["a", "b"], path)
    assert len(pd.read_parquet(path)) == 2
    path.write_bytes(b"half a fi")
    write_facts(shards, ["b"], path)
    assert pd.read_parquet(path)["basin"].tolist() == ["b"]
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["basins.parquet"]


def test_a_folder_that_is_not_there_is_one_message(tmp_path, make_basin):
    with pytest.raises(StoreError, match=r"basins.parquet: cannot be written \(No such file"):
        write_facts(saved(tmp_path / "shards", [make_basin("a")]), ["a"], tmp_path / "none" / "basins.parquet")
