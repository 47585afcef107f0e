import pytest

from studyhub.errors import SpecError
from studyhub.study.spec import ShardFolder, Synthetic, read


def refusal(path, *overrides: str, **more) -> str:
    with pytest.raises(SpecError) as caught:
        read(path, overrides, **more)
    return str(caught.value)


def test_a_value_is_changed_in_place_or_added(write):
    spec = read(write(), ["training.epochs=7", "training.window=30", "seeds=[5]", "arms.implicit.components=3", "resources.cpus=2"])
    assert {(arm.training.epochs, arm.training.window) for arm in spec.arms} == {(7, 30)}
    assert (spec.seeds, spec.arm("implicit").model.components, spec.arm("sequential").model.components) == ((5,), 3, 16)
    assert spec.resources.cpus == 2
    assert spec.overrides[:2] == ("--set training.epochs=7", "--set training.window=30")


def test_values_are_yaml(write):
    path = write()
    assert read(path, ["shared.dynamic=[BETA, FC]"]).arms[0].model.dynamic == ("BETA", "FC")
    assert read(path, ["shared.dropout=1e-3"]).arms[0].model.dropout == 0.001
    assert read(path, ["arms.implicit={scheme: explicit, may_diverge: true}"]).arm("implicit").may_diverge
    assert read(path, ["split.train=[1987-10-01, 1990-09-30]"]).split.train.days == 1096
    assert read(path, ["compare.0.metric=nse"]).compare[0].metric == "nse"
    assert read(path, ["question=a = b?"]).question == "a = b?"


DESIGN = """\
  sequential: {scheme: sequential}
  implicit: {scheme: implicit}
factors: {components: [1, 4], dropout: [0, 0.1]}
search:
  parameters: {learning_rate: {low: 0.1, high: 1}}
  budget: 4
  validation: {basins: 0.25}
seeds"""


def test_factors_designs_and_searches_are_changed_like_the_rest(write):
    arms = "  sequential: {scheme: sequential}\n  implicit: {scheme: implicit}\nseeds"
    path = write((arms, DESIGN), ("compare:\n  - {better: implicit, than: sequential, metric: kge}\n", ""))
    changes = ["factors.components=[2]", "design={kind: one_at_a_time, baseline: {dropout: 0.1}}", "exclude=[{arm: implicit, dropout: 0}]"]
    spec = read(path, [*changes, "search.budget=2", "search.parameters.learning_rate.low=0.5", "resources.gpu_memory=6"])
    assert [arm.name for arm in spec.arms] == [
        "sequential+components=2+dropout=0.1",
        "sequential+components=2+dropout=0",
        "implicit+components=2+dropout=0.1",
    ]
    assert (spec.search.budget, spec.search.batch, spec.search.domains[0].low) == (2, 2, 0.5)
    assert spec.resources.gpu_memory == 6
    said = refusal(path, "factors.component=[2]")
    assert "--set factors.component=[2]: `factors.component.0`: `component` is no key of an arm" in said
    assert "`factors.dropout.levels`: the list has 2 items" in refusal(path, "factors.dropout.levels=[2]")
    assert "--set search.budgt=2: `search.budgt`: unknown key; did you mean `budget`?" in refusal(path, "search.budgt=2")
    assert "`resources.gpu_memory`: needs a number above 0, got 0" in refusal(path, "resources.gpu_memory=0")


def test_sections_that_are_left_out_or_empty_can_be_set(write):
    path = write(("training:\n  epochs: 2\n", "training:\n"), ("sequential: {scheme: sequential}", "sequential:"))
    spec = read(path, ["training.epochs=4", "arms.sequential.components=2"])
    assert (spec.arms[0].training.epochs, spec.arms[0].model.components) == (4, 2)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs", "--set training.epochs: path.to.key=value is required, such as training.epochs=5"),
        ("=5", "path.to.key=value is required"),
        ("training..epochs=5", "path.to.key=value is required"),
        ("trainings.epochs=5", "--set trainings.epochs=5: `trainings`: unknown key; did you mean `training`?"),
        ("training.epoch=5", "--set training.epoch=5: `training.epoch`: unknown key; did you mean `epochs`?"),
        ("training.epochs=-3", "--set training.epochs=-3: `training.epochs`: needs a number at least 1, got -3"),
        ("training.epochs=", "`training.epochs`: needs a whole number, got nothing"),
        ("training.epochs.more=5", "`training.epochs.more`: `training.epochs` is 2, which holds no keys"),
        ("arms.explicit.scheme=rk4", "`arms.explicit`: there is no such key; did you mean `implicit`?"),
        ("arms.explicit={scheme: rk4}", "`arms.explicit`: there is no such key"),
        ("seeds.2=5", "`seeds.2`: the list has 2 items, counted from 0"),
        ("seeds.first=5", "`seeds.first`: the list has 2 items, counted from 0"),
        ("split.validation.start=1", "`split.validation`: there is no such key"),
        ("shared.dynamic=[BETA", "--set shared.dynamic=[BETA:1: not readable as YAML"),
        ("shared.scheme=foo", "--set shared.scheme=foo: `shared.scheme`: unknown scheme 'foo'"),
        ("shared.raw_stores=true", "--set shared.raw_stores=true: `shared.raw_stores`: has a meaning for schemes"),
    ],
)
def test_wrong_changes_name_the_option(write, override, words):
    assert words in refusal(write(), override)


def test_an_unquoted_basin_id_is_refused_on_the_command_line_too(write):
    said = refusal(write(), "data.basins=[01013500]", data=["shards"])
    assert 'basin ids are text: YAML reads 01013500 as 1013500; put it in quotes: "01013500"' in said


def test_shards_take_the_place_of_virtual_basins(write):
    path = write()
    assert read(path).data == Synthetic(basins=4)
    assert read(path, data=["a/camels"]).data == ShardFolder(shards=("a/camels",))
    joined = read(path, data=["a/camels", "s3://bucket/france"])
    assert joined.data == ShardFolder(shards=("a/camels", "s3://bucket/france"))
    assert joined.overrides == ("--data a/camels", "--data s3://bucket/france")


def test_a_choice_among_shards_stays_when_the_folder_changes(write):
    path = write(("{reader: synthetic, basins: 4, years: 10}", '{shards: old, exclude: ["13331500"], without: [gaps], fill: "zero:3"}'))
    assert read(path, data=["new"]).data == ShardFolder(shards=("new",), exclude=("13331500",), without=("gaps",), fill="zero:3")


def test_names(write):
    path = write(name="solvers.yaml")

    def name(*overrides: str, **more) -> str:
        return read(path, overrides, **more).name

    assert name() == "solvers"
    assert name("training.epochs=5") == "solvers-epochs-5"
    assert name("training.epochs=5", "shared.dynamic=[BETA, FC]") == "solvers-epochs-5-dynamic-BETA-FC"
    assert name("arms.implicit.components=2") == "solvers-arms-implicit-components-2"
    assert name(data=["somewhere/camels_us"]) == "solvers-camels_us"
    assert name(data=["a/camels_us", "s3://b/france/"]) == "solvers-camels_us-france"
    assert name("training.epochs=5", name="mine") == "mine"


def test_different_changes_never_share_a_name(write):
    path = write()
    changes = [
        ["shared.dropout=0.1"],
        ["shared.dropout=1e-1"],
        ["arms.implicit.dropout=0.1"],
        ["arms.sequential.dropout=0.1"],
        ["question=a/b"],
        ["question=a:b"],
        ["question=a b"],
        [f"question={'long ' * 30}"],
        [f"question={'long ' * 30}er"],
        ["shared.dynamic=[]"],
        ["data.seed=3"],
        ["split.kind=pub", "split.seed=3"],
        ["split.kind=pub"],
    ]
    names = [read(path, change).name for change in changes]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 100 for name in names)


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".", "..", ".hidden", "a b", "a\n", "x" * 101, "/tmp", "nul\0"])
def test_a_name_never_leads_out_of_the_studies_folder(write, name):
    assert "--name: a study's name begins with a letter or digit" in refusal(write(), name=name)


@pytest.mark.parametrize("file", ["..strange..yaml", "my study.yaml", "-x.yaml", "δ-hbv.yaml", "a.b.yml"])
def test_names_of_files_are_made_safe(write, file):
    name = read(write(name=file)).name
    assert name == read(write(), name=name).name


def test_a_file_without_a_letter_in_its_name_asks_for_one(write):
    assert "give one with --name" in refusal(write(name="研究.yaml"))
