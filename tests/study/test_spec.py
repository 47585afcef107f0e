from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from studyhub.catalog import ATTRIBUTE_SETS
from studyhub.errors import SpecError
from studyhub.study.plan import plan
from studyhub.study.settings import Columns, Model, Period, Split, Training
from studyhub.study.spec import Claim, ExternalArm, ShardFolder, Synthetic, read

SEARCH_SPACES = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))
A1 = ATTRIBUTE_SETS["table_a1"]


def test_a_study_is_read_with_its_defaults(write):
    spec = read(write())
    assert (spec.name, spec.question, spec.seeds) == ("study", "Does the scheme matter?", (1, 2))
    assert spec.data == Synthetic(basins=4)
    train, test = Period(date(1986, 10, 1), date(1991, 9, 30)), Period(date(1993, 10, 1), date(1995, 9, 30))
    assert spec.split == Split(train, test, None, warmup=365, test_warmup=730)
    assert (spec.resources.cpus, spec.resources.gpus) == (1, "auto")
    assert spec.compare == (Claim(better="implicit", than="sequential", metric="kge"),)
    model = Model("dpl", ("prcp", "tmean", "pet"), A1, hidden_size=8, scheme="sequential")
    assert [arm.name for arm in spec.arms] == ["sequential", "implicit"]
    assert spec.arm("sequential").model == model
    assert spec.arm("implicit").model == replace(model, scheme="implicit")
    assert spec.arm("implicit").training == Training(epochs=2)
    assert not spec.arm("implicit").may_diverge


def test_a_study_is_frozen(write):
    spec = read(write())
    for thing, name in ((spec, "name"), (spec.data, "basins"), (spec.arms[0], "name"), (spec.resources, "cpus")):
        with pytest.raises(Exception, match="frozen|cannot assign"):
            setattr(thing, name, 1)


def test_an_arm_wins_over_shared_and_shared_over_the_recipe(write):
    arms = "  sequential: {scheme: sequential}\n  implicit: {scheme: implicit}\n"
    mine = "  sequential: {}\n  implicit: {scheme: implicit, hidden_size: 16, epochs: 3, dropout: 0.1, recipe: kratzert2019}\n"
    spec = read(write((arms, mine)))
    arm = spec.arm("implicit")
    assert (arm.model.hidden_size, arm.model.dropout, arm.training.epochs) == (16, 0.1, 3)
    assert (arm.training.loss, arm.training.optimizer, arm.training.gradient_norm, arm.training.batch) == ("nse", "adam", 1.0, 256)
    assert arm.training.learning_rate == ((1, 1e-3), (11, 5e-4), (21, 1e-4))
    assert (spec.arm("sequential").model.hidden_size, spec.arm("sequential").training.epochs) == (8, 2)


@pytest.mark.parametrize(
    ("recipe", "forcing", "dropout", "training"),
    [
        ("feng2020", ("prcp", "tmean", "pet"), 0.5, Training(epochs=300, batch=256, loss="rmse")),
        (
            "kratzert2019",
            ("prcp", "srad", "tmax", "tmin", "vp"),
            0.4,
            Training(
                epochs=30, batch=256, loss="nse", optimizer="adam", learning_rate=((1, 1e-3), (11, 5e-4), (21, 1e-4)), gradient_norm=1.0
            ),
        ),
    ],
)
def test_recipes_of_the_lstm(write, recipe, forcing, dropout, training):
    arm = read(
        write(
            ("sequential: {scheme: sequential}", f"lstm: {{model: lstm, recipe: {recipe}}}"),
            ("  epochs: 2\n", ""),
            ("than: sequential", "than: lstm"),
        )
    ).arm("lstm")
    assert arm.model == Model("lstm", forcing, A1, hidden_size=8, dropout=dropout, recipe=recipe)
    assert arm.training == training


def test_a_learning_rate_follows_the_optimizer(write):
    assert read(write(("epochs: 2", "optimizer: adam"))).arms[0].training.learning_rate[0] == (1, 1e-3)
    stepped = read(write(("epochs: 2", "learning_rate: [[1, 1], [5, 1e-1]]"))).arms[0].training.learning_rate
    assert stepped == ((1, 1.0), (5, 0.1))
    assert read(write(("epochs: 2", "learning_rate: 0.5"))).arms[0].training.learning_rate == ((1, 0.5),)


def test_what_means_nothing_for_an_arm_takes_no_part_from_shared(write):
    lstm = ("sequential: {scheme: sequential}", "lstm: {model: lstm, loss: nse}")
    plain = read(write(lstm, ("than: sequential", "than: lstm"))).arm("lstm")
    shared = ("  hidden_size: 8\n", "  hidden_size: 8\n  scheme: implicit\n  components: 4\n  capillary_rise: true\n  raw_stores: false\n")
    again = read(write(lstm, ("than: sequential", "than: lstm"), shared, ("epochs: 2", "epochs: 2\n  loss_weight: 0.5"))).arm("lstm")
    assert again == plain


def test_parameters_are_put_in_the_order_of_the_physics(write):
    change = ("hidden_size: 8", "capillary_rise: true\n  dynamic: [FC, BETAET, BETA]\n  fixed: {NDC: 1, K2: 0.01}")
    model = read(write(change)).arms[0].model
    assert model.dynamic == ("BETA", "FC", "BETAET")
    assert model.fixed == (("K2", 0.01), ("NDC", 1.0))


def test_named_sets_and_empty_sections(write):
    spec = read(
        write(
            ("hidden_size: 8", "forcing: daymet\n  attributes: []"),
            ("  epochs: 2\n", ""),
            ("sequential: {scheme: sequential}", "sequential:"),
        )
    )
    assert spec.arms[0].model.forcing == ("prcp", "srad", "tmax", "tmin", "vp")
    assert spec.arms[0].model.attributes == ()
    assert spec.arms[0].training == Training()


def test_none_is_a_level(write):
    spec = read(write(("epochs: 2", "gradient_norm: none\n  updates_per_epoch: none"), ("test: [1993", "validation: none, test: [1993")))
    assert (spec.arms[0].training.gradient_norm, spec.arms[0].training.updates_per_epoch, spec.split.validation) == (None, None, None)


def test_basins_of_shards(write):
    def data(text: str) -> tuple[str, str]:
        return "{reader: synthetic, basins: 4, years: 10}", text

    assert read(write(data("{shards: a/b}"))).data == ShardFolder(shards=("a/b",))
    chosen = read(write(data('{shards: a/b, basins: ["1", "2"], exclude: ["3"]}'))).data
    assert chosen == ShardFolder(shards=("a/b",), basins=("1", "2"), exclude=("3",))


def test_basins_from_a_file_and_several_folders(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "basins.txt").write_text("# two\n01\n02\n")
    shards = "{shards: [a/camels, 's3://bucket/france'], basins: {file: basins.txt}}"
    spec = read(write(("{reader: synthetic, basins: 4, years: 10}", shards)))
    assert spec.data == ShardFolder(shards=("a/camels", "s3://bucket/france"), basins=("01", "02"))
    (tmp_path / "basins.txt").unlink()
    (tmp_path / "spec.yaml").write_text(spec.text())
    assert read("spec.yaml").data == ShardFolder(shards=(str(tmp_path / "a" / "camels"), "s3://bucket/france"), basins=("01", "02"))


@pytest.mark.parametrize(
    "text",
    [
        "kind: pub",
        "kind: pub, folds: 3, seed: 7, stratify: climate_group",
        "kind: pur, by: continent",
        'kind: pur, groups: camels, hold_out: ["01", "03+06"]',
        'kind: pur, by: x, groups: [["1", "2 3"], [a]]',
        "min_years: {train: 5}, long_record: {train: 4.5, test: 2}",
        "kind: pub, validation: [1993-10-01, 1993-12-31]",
    ],
)
def test_every_split_reads_back(write, tmp_path, text):
    spec = read(write(("train: [1986", f"{text}, train: [1986")))
    (tmp_path / "spec.yaml").write_text(spec.text())
    assert read(tmp_path / "spec.yaml").division == spec.division


def test_negative_thresholds_and_values_beyond_the_learned_range_may_be_fixed(write):
    fixed = read(write(("hidden_size: 8", "capillary_rise: true\n  fixed: {TT: -3, NDC: 1, PERC: 0}"))).arms[0].model.fixed
    assert fixed == (("PERC", 0.0), ("TT", -3.0), ("NDC", 1.0))


def test_the_resolved_text_reads_back_to_the_same_study(write, facts, tmp_path):
    spec = read(write(("question: Does", "question: >-\n  'Does' \"this\":")), ["training.epochs=3"])
    path = tmp_path / "spec.yaml"
    path.write_text(spec.text(), encoding="utf-8")
    again = read(path, name=spec.name)
    assert replace(again, source=spec.source, overrides=spec.overrides) == spec
    assert plan(again, facts) == plan(spec, facts)
    assert "# changed by --set training.epochs=3\n" in spec.text()


@pytest.mark.parametrize("path", SEARCH_SPACES, ids=lambda path: path.stem)
def test_the_search_spaces_can_be_read_and_resolved(path, tmp_path):
    spec = read(path)
    assert spec.name == path.stem
    copy = tmp_path / "spec.yaml"
    copy.write_text(spec.text(), encoding="utf-8")
    assert read(copy).arms == spec.arms
    assert len({arm.settings for arm in spec.arms}) == len(spec.arms)


EXTERNAL = ("  implicit: {scheme: implicit}", "  implicit: {external: tables/sim.csv, columns: {qsim: q mm}}")


def test_an_external_arm_is_a_table_and_nothing_else(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = read(write(EXTERNAL, ("hidden_size: 8", "hidden_size: 8\n  scheme: implicit\n  dynamic: [BETA]")))
    arm = ExternalArm("implicit", tmp_path / "tables" / "sim.csv", Columns(qsim="q mm"))
    assert spec.arm("implicit") == arm
    assert not arm.may_diverge
    assert (
        read(write(("  implicit: {scheme: implicit}", "  implicit: {external: sim.csv, columns: }"))).arm("implicit").columns == Columns()
    )


def test_external_arms_alone_need_no_model(write):
    other = ("  sequential: {scheme: sequential}", "  sequential: {external: other.csv}")
    spec = read(write(EXTERNAL, other, ("shared:\n  model: dpl\n  hidden_size: 8\n", "")))
    assert [type(arm) for arm in spec.arms] == [ExternalArm] * 2


def test_a_stored_external_arm_reads_back_from_any_folder(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = read(write(EXTERNAL))
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    (tmp_path / "away" / "spec.yaml").write_text(spec.text(), encoding="utf-8")
    assert read("spec.yaml").arms == spec.arms


def test_the_published_models_differ_as_published():
    arms = {arm.name: arm.model for arm in read(SEARCH_SPACES[0].parent / "models.yaml").arms}
    assert list(arms) == ["lstm", "dhbv", "dhbv_adj", "dhbv_improved", "dhbv_adj_improved"]
    assert {name: model.scheme for name, model in arms.items() if model.kind == "dpl"} == {
        "dhbv": "sequential",
        "dhbv_adj": "implicit",
        "dhbv_improved": "sequential",
        "dhbv_adj_improved": "implicit",
    }
    assert arms["dhbv"].dynamic == arms["dhbv_improved"].dynamic == ("BETA", "BETAET")
    assert arms["dhbv_adj"].dynamic == arms["dhbv_adj_improved"].dynamic == ("BETA", "FC", "BETAET")
    assert [name for name, model in arms.items() if model.warmup_gradients] == ["dhbv_adj", "dhbv_adj_improved"]
    assert [name for name, model in arms.items() if model.capillary_rise] == ["dhbv_improved", "dhbv_adj_improved"]
    assert {name: model.fixed for name, model in arms.items() if model.fixed} == {"dhbv_improved": (("NDC", 1.0),)}


def test_margins_of_practical_equivalence(write, tmp_path):
    path = write()
    path.write_text(path.read_text() + "evaluate: {margin: {nse: 0.02, low_rmse: 0.1}}\n")
    spec = read(path)
    assert spec.margin == {"nse": 0.02, "low_rmse": 0.1} and read(write()).margin == {}
    (tmp_path / "again.yaml").write_text(spec.text())
    assert read(tmp_path / "again.yaml").margin == spec.margin
    for wrong, message in (("{nsee: 0.1}", "nsee"), ("{nse: -1}", "nse"), ("{nse: wide}", "nse")):
        path.write_text(path.read_text().split("evaluate:")[0] + f"evaluate: {{margin: {wrong}}}\n")
        with pytest.raises(SpecError, match=message):
            read(path)
