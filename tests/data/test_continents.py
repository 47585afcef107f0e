import csv
from pathlib import Path

import pytest

from studyhub.data.continents import OUTLINES, continent

PLACES = {
    "Africa": """
        Cairo 30.04 31.24; Ismailia 30.6 32.25; Suez 29.97 32.53; Alexandria 31.2 29.92; Tangier 35.77 -5.8; Ceuta 35.89 -5.31;
        Algiers 36.75 3.06; Tunis 36.8 10.18; Tripoli 32.89 13.19; Las Palmas 28.12 -15.43; Funchal 32.65 -16.91;
        Praia 14.93 -23.51; Dakar 14.72 -17.47; Lagos 6.52 3.38; Libreville 0.42 9.47; Cape Town -33.92 18.42;
        Durban -29.86 31.02; Antananarivo -18.88 47.51; Port Louis -20.16 57.5; Victoria -4.62 55.45; Mogadishu 2.05 45.32;
        Djibouti 11.59 43.15; Massawa 15.61 39.45; Port Sudan 19.62 37.22; Hurghada 27.26 33.81; Nairobi -1.29 36.82;
        Monrovia 6.3 -10.8; Accra 5.56 -0.2; Luanda -8.84 13.23; Malabo 3.75 8.78
    """,
    "Asia": """
        Uskudar 41.02 29.05; Bursa 40.18 29.06; Canakkale 40.15 26.42; Izmir 38.42 27.14; Bodrum 37.03 27.43;
        Marmaris 36.85 28.27; Ankara 39.93 32.86; Nicosia 35.18 33.36; Arish 31.13 33.8; Sharm el Sheikh 27.92 34.33;
        Taba 29.49 34.88; Jeddah 21.49 39.19; Aden 12.79 45.02; Sanaa 15.37 44.19; Tbilisi 41.72 44.79; Kutaisi 42.27 42.7;
        Sukhumi 43 41.02; Baku 40.41 49.87; Yerevan 40.18 44.51; Yekaterinburg 56.84 60.6; Chelyabinsk 55.16 61.4;
        Aktobe 50.28 57.17; Aktau 43.65 51.16; Salekhard 66.53 66.6; Norilsk 69.35 88.2;
        Anadyr 64.73 177.5; Provideniya 64.42 -173.23; Uelen 66.16 -169.81; Petropavlovsk 53.02 158.65; Tokyo 35.68 139.69;
        Okinawa 26.21 127.68; Manila 14.6 120.98; Davao 7.07 125.61; Jakarta -6.21 106.85; Dili -8.56 125.57;
        Kupang -10.18 123.6; Ambon -3.7 128.18; Ternate 0.79 127.38; Tual -5.63 132.75; Colombo 6.93 79.85; Male 4.18 73.51;
        Kashgar 39.47 75.99; Muscat 23.59 58.41; Kandy 7.29 80.63; Vladivostok 43.12 131.89; Yakutsk 62.03 129.73
    """,
    "Europe": """
        Istanbul 41.01 28.95; Edirne 41.68 26.56; Gelibolu 40.41 26.67; Mytilene 39.11 26.55; Chios 38.37 26.13;
        Samos 37.75 26.97; Kos 36.89 27.28; Rhodes 36.44 28.22; Heraklion 35.34 25.13; Valletta 35.9 14.51; Lampedusa 35.5 12.6;
        Pantelleria 36.79 11.99; Palermo 38.12 13.36; Cagliari 39.22 9.12; Gibraltar 36.14 -5.35; Tarifa 36.02 -5.6;
        Almeria 36.84 -2.46; Palma 39.57 2.65; Lisbon 38.72 -9.14; Ponta Delgada 37.74 -25.67; Reykjavik 64.15 -21.94;
        Isafjordur 66.07 -23.13; Torshavn 62.01 -6.77; Longyearbyen 78.22 15.65; Galway 53.27 -9.05; Murmansk 68.97 33.08;
        Perm 58.01 56.25; Ufa 54.74 55.97; Vorkuta 67.5 64.05; Orenburg 51.77 55.1; Oral 51.23 51.37; Astrakhan 46.35 48.04;
        Makhachkala 42.98 47.5; Grozny 43.32 45.69; Vladikavkaz 43.02 44.68; Sochi 43.6 39.73; Sevastopol 44.6 33.52;
        Varna 43.21 27.91; Tromso 69.65 18.96; Belushya Guba 71.55 52.32
    """,
    "North America": """
        Nuuk 64.18 -51.74; Ittoqqortoormiit 70.49 -21.97; Tasiilaq 65.61 -37.64; Qaanaaq 77.47 -69.23; Alert 82.5 -62.35;
        St. John's 47.56 -52.71; Hamilton 32.29 -64.78; Nome 64.5 -165.41; Gambell 63.78 -171.74; Wales 65.61 -168.09;
        Adak 51.88 -176.66; Attu 52.85 173.2; Kodiak 57.79 -152.41; Prince Rupert 54.32 -130.32; San Francisco 37.77 -122.42;
        La Paz BCS 24.14 -110.31; Panama 8.98 -79.52; La Palma Darien 8.41 -78.14; Yaviza 8.16 -77.69; Jaque 7.52 -78.16;
        San Jose 9.93 -84.08; Havana 23.11 -82.37; Bridgetown 13.1 -59.62; St. George's 12.06 -61.75; San Andres 12.58 -81.7;
        Tuktoyaktuk 69.45 -133.03; Mexico 19.43 -99.13; Miami 25.76 -80.19; Halifax 44.65 -63.57; Toronto 43.65 -79.38
    """,
    "Oceania": """
        Jayapura -2.53 140.72; Sorong -0.88 131.25; Fakfak -2.93 132.3; Merauke -8.5 140.4; Timika -4.55 136.89;
        Waisai -0.43 130.82; Port Moresby -9.44 147.18; Darwin -12.46 130.84; Perth -31.95 115.86; Broome -17.96 122.24;
        Hobart -42.88 147.33; Cairns -16.92 145.77; Auckland -36.85 174.76; Invercargill -46.41 168.35; Waitangi -43.95 -176.56;
        Suva -18.14 178.44; Nukualofa -21.14 -175.2; Papeete -17.54 -149.57; Honolulu 21.31 -157.86; Hilo 19.72 -155.08;
        Lihue 21.98 -159.37; Hagatna 13.47 144.75; Koror 7.34 134.48; Majuro 7.09 171.38; Noumea -22.28 166.46;
        Hanga Roa -27.15 -109.43; Esperance -33.86 121.89
    """,
    "South America": """
        Turbo 8.09 -76.73; Apartado 7.88 -76.63; Jurado 7.1 -77.76; Quibdo 5.69 -76.66; Riosucio 7.44 -77.12;
        Barranquilla 10.97 -74.78; Riohacha 11.54 -72.91; Maracaibo 10.65 -71.61; Caracas 10.48 -66.9; Willemstad 12.11 -68.93;
        Port of Spain 10.65 -61.52; Cayenne 4.92 -52.33; Natal -5.79 -35.21; Recife -8.05 -34.88; Rio -22.91 -43.17;
        Montevideo -34.9 -56.16; Stanley -51.7 -57.85; Ushuaia -54.8 -68.3; Puerto Montt -41.47 -72.94; Lima -12.05 -77.04;
        Guayaquil -2.19 -79.89; Puerto Ayora -0.74 -90.31; Robinson Crusoe -33.64 -78.84; Antofagasta -23.65 -70.4;
        Manaus -3.12 -60.02
    """,
}
NOWHERE = """
    Atlantic 0 -25; Atlantic N 45 -38; Atlantic S -30 -15; Pacific N 40 -150; Pacific NW 40 170; Pacific E 0 -120;
    Pacific S -45 -110; Indian -20 80; Indian S -40 90; South Pole -90 0; Vostok -78.46 106.84; McMurdo -77.85 166.67;
    Palmer -64.77 -64.05
"""


def places(text):
    """Name, latitude and longitude of each."""
    for place in text.split(";"):
        *name, lat, lon = place.split()
        yield " ".join(name), float(lat), float(lon)


@pytest.mark.parametrize("due", PLACES)
def test_places(due):
    found = {name: continent(lat, lon) for name, lat, lon in places(PLACES[due])}
    assert found == dict.fromkeys(found, due)


def test_the_open_ocean_and_antarctica_have_none():
    assert {name: found for name, lat, lon in places(NOWHERE) if (found := continent(lat, lon)) is not None} == {}


def test_longitudes_turn():
    for text in PLACES.values():
        for _, lat, lon in places(text):
            assert continent(lat, lon + 360) == continent(lat, lon - 360) == continent(lat, lon)


@pytest.mark.parametrize(("lat", "lon"), [(91, 0), (-91, 0), (float("nan"), 0), (0, float("nan")), (0, float("inf"))])
def test_no_place_has_none(lat, lon):
    assert continent(lat, lon) is None


def test_outlines_do_not_cross_themselves():
    """Two edges of one outline that cross would turn its inside out."""

    def side(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    for name, outline in OUTLINES:
        edges = list(zip(outline, outline[1:] + outline[:1], strict=True))
        for i, (a, b) in enumerate(edges):
            for c, d in edges[i + 2 :]:
                if not {a, b} & {c, d}:
                    assert not (side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0), (name, a, b, c, d)


@pytest.fixture
def real_data() -> Path:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data are not in {folder}")
    return folder


def rows(path, delimiter=","):
    if not path.is_file():
        pytest.skip(f"{path} is missing")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_the_basins_of_camels_us(real_data):
    table = rows(real_data / "camels_us" / "camels_attributes_v2.0" / "camels_topo.txt", ";")
    assert len(table) > 600
    assert {continent(float(row["gauge_lat"]), float(row["gauge_lon"])) for row in table} == {"North America"}


def test_the_basins_of_france(real_data):
    table = rows(real_data / "france_19" / "stations.csv")
    assert {continent(float(row["latitude"]), float(row["longitude"])) for row in table} == {"Europe"}


COUNTRIES = {
    "Europe": """
        A I CH DE FR IT AT ES GB Luxemburg Luxembourg Germany Spain Switzerland Austria France Italy PT NO SE FI DK PL CZ NL BE IE
        RO BG HU SK SI HR United_Kingdom Liechtenstein LI Belgium Great_Britain UK England Scotland Wales
    """,
    "North America": "US CA MX United_States United_States_of_America Canada Mexico USA",
    "South America": "BR CL AR CO PE EC UY PY BO VE Brazil Chile Argentina Colombia Peru Ecuador Uruguay Bolivia",
    "Oceania": "AU NZ Australia New_Zealand PG",
    "Africa": "ZA NA ZW MZ ZM BW LS SZ TZ KE NG South_Africa Namibia",
    "Asia": "IN CN JP TH IL KZ India China Japan Thailand Israel",
}


def test_every_basin_of_caravan_lies_where_its_country_does(real_data):
    continents = {country.replace("_", " "): name for name, text in COUNTRIES.items() for country in text.split()}
    tables = sorted((real_data / "caravan").glob("attributes/*/attributes_other_*.csv"))
    if not tables:
        pytest.skip(f"Caravan's attributes are not in {real_data / 'caravan'}")
    basins = [row for table in tables for row in rows(table) if row["country"] in continents]
    assert len(basins) > 300
    wrong = [row for row in basins if continent(float(row["gauge_lat"]), float(row["gauge_lon"])) != continents[row["country"]]]
    assert wrong == []
