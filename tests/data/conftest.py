"""Small basins and tiny raw files for the tests of this room."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from studyhub.data.record import Basin

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_camels() -> Path:
    folder = REAL / "camels_us"
    if not folder.is_dir():
        pytest.skip(f"the real CAMELS-US files are not in {folder}")
    return folder


@pytest.fixture
def make_basin() -> Callable[..., Basin]:
    """Return a maker of basins with random weather; keywords replace fields of `Basin`."""

    def make(name: str = "a", *, start: date = date(2000, 1, 1), days: int = 900, seed: int = 0, **changes: object) -> Basin:
        rng = np.random.default_rng(seed)
        tmean = 10 + 8 * rng.normal(size=days)
        series = {"prcp": rng.gamma(0.5, 4, days), "tmean": tmean, "pet": rng.random(days), "qobs": rng.random(days)}
        attributes = {"area": 10.0 + seed, "slope": float("nan")}
        known = {"name": name, "start": start, "series": series, "attributes": attributes, "facts": {"gauge_lat": 45.0}}
        return Basin(**(known | changes))

    return make


@dataclass
class RawCamels:
    """A folder in the distributed layout, with numbers that tests know."""

    folder: Path
    start: date = date(1999, 12, 30)
    days: int = 800
    latitude: float = 45.0
    area: float = 2_000_000.0  # m2
    ids: tuple[str, ...] = ("01000001", "01000002", "17000003")
    attributes: Path = field(init=False)

    def __post_init__(self) -> None:
        self.attributes = self.folder / "camels_attributes_v2.0"
        for i, basin in enumerate(self.ids):
            self.forcing(basin, i)
            self.discharge(basin, [(self.day(t), 10.0 + i + t % 7, "A") for t in range(self.days)])
        self.attributes.mkdir()
        self.table("topo", "gauge_lat;gauge_lon;area_gages2", [f"{45 + i};-7{i}.5;2.0" for i in range(3)], others="1;2;3")
        self.table("vege", "dom_land_cover;root_depth_50", ["    Mixed Forests;NA", "Croplands;0.2", ";0.3"], others="Barren;0.1")
        self.table("name", "huc_02;gauge_name", ["01;Fish River, Maine", "01;B", "17;C"], others="05;D")

    def day(self, t: int) -> date:
        return self.start + timedelta(days=t)

    def forcing_path(self, basin: str) -> Path:
        return self.folder / "basin_mean_forcing" / "daymet" / basin[:2] / f"{basin}_lump_cida_forcing_leap.txt"

    def discharge_path(self, basin: str) -> Path:
        return self.folder / "usgs_streamflow" / basin[:2] / f"{basin}_streamflow_qc.txt"

    def forcing(self, basin: str, i: int = 0) -> None:
        header = [f"  {self.latitude:.2f}", " 170.00", f"{self.area:.0f}"]
        header.append("Year Mnth Day Hr dayl(s) prcp(mm/day) srad(W/m2) swe(mm) tmax(C) tmin(C) vp(Pa)")
        weather = "30000.00\t{:.2f}\t170.50\t0.00\t{:.2f}\t{:.2f}\t217.80"
        rows = [f"{self.day(t):%Y %m %d} 12\t" + weather.format(i + t % 5, 12 + t % 3, 2 - t % 2) for t in range(self.days)]
        path = self.forcing_path(basin)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(header + rows) + "\n")

    def discharge(self, basin: str, rows: list[tuple[date, float, str]]) -> None:
        path = self.discharge_path(basin)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{basin} {d:%Y %m %d} {q:8.2f} {flag}\n" for d, q, flag in rows))

    def table(self, name: str, columns: str, rows: list[str], others: str) -> None:
        """Write an attribute file; ``others`` is the line of a basin without time series."""
        lines = [f"{basin};{row}" for basin, row in zip(self.ids, rows, strict=True)]
        (self.attributes / f"camels_{name}.txt").write_text("\n".join([f"gauge_id;{columns}", *lines, f"99000000;{others}"]) + "\n")

    def replace_line(self, path: Path, number: int, text: str) -> None:
        """Replace a line, counted from 1."""
        lines = path.read_text().splitlines()
        lines[number - 1] = text
        path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def raw(tmp_path: Path) -> RawCamels:
    return RawCamels(tmp_path / "camels")
