"""CAMELS-US keeps to what every reader must; other readers' tests hold their own cases."""

import pytest
from conformance import ReaderCase

from studyhub.data.camels_us import find


class TestCamelsUS(ReaderCase):
    @pytest.fixture
    def source(self, raw):
        raw.discharge(raw.ids[1], [(raw.day(t), -5.0 if t == 9 else 3.0, "A") for t in range(-4, 700)])
        return find(raw.folder)


class TestIncompleteCamelsUS(ReaderCase):
    @pytest.fixture
    def source(self, raw):
        raw.discharge_path(raw.ids[0]).unlink()
        return find(raw.folder)

    @pytest.fixture
    def basins(self, source):
        return tuple(basin for basin in source.basins if basin not in source.incomplete)


class TestRealCamelsUS(ReaderCase):
    @pytest.fixture
    def source(self, real_camels):
        return find(real_camels)

    @pytest.fixture
    def basins(self, source):
        return source.basins[0], source.basins[-1]
