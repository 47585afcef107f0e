from pathlib import Path

import pytest

from studyhub.errors import SpecError
from studyhub.study.spec import read

TRAIN = "train: [1986-10-01, 1991-09-30]"
AGAIN = "metric: kge}\n  - {better: implicit, than: sequential, metric: kge}"


def message(path: Path, *overrides: str) -> str:
    with pytest.raises(SpecError) as caught:
        read(path, overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        # Keys
        ("  hidden_size: 8", "  hidden_sise: 8", "study.yaml:6: `shared.hidden_sise`: unknown key; did you mean `hidden_size`?"),
        ("  hidden_size: 8", "  epochs: 8", "study.yaml:6: `shared.epochs`: unknown key here; it belongs in `training`"),
        ("  epochs: 2", "  hidden_size: 2", "study.yaml:8: `training.hidden_size`: unknown key here; it belongs in `shared`"),
        ("seeds: [1, 2]", "seed: [1, 2]", "study.yaml:12: `seed`: unknown key; did you mean `seeds`?"),
        ("basins: 4,", "basin: 4,", "study.yaml:2: `data.basin`: unknown key; did you mean `basins`?"),
        ("metric: kge", "metrics: kge", "study.yaml:14: `compare.0.metrics`: unknown key; did you mean `metric`?"),
        ("hidden_size: 8", "hidden_size: 8\n  hidden_size: 9", "study.yaml:7: `shared.hidden_size`: written twice, on lines 6 and 7"),
        ("seeds: [1, 2]\n", "", "`seeds`: is required"),
        ("train: [1986-10-01, 1991-09-30], ", "", "study.yaml:3: `split.train`: is required: [1985-10-01, 1995-09-30]"),
        # Levels
        ("{scheme: implicit}", "{scheme: implcit}", "`arms.implicit.scheme`: unknown scheme 'implcit'; did you mean `implicit`?"),
        ("{scheme: implicit}", "{scheme: foo}", "study.yaml:11: `arms.implicit.scheme`: unknown scheme 'foo'; known: sequential"),
        ("model: dpl", "model: hbv", "`shared.model`: unknown model 'hbv'; known: lstm, dpl"),
        ("epochs: 2", "epochs: -3", "study.yaml:8: `training.epochs`: needs a number at least 1, got -3"),
        ("epochs: 2", "epochs: 2.5", "`training.epochs`: needs a whole number, got 2.5"),
        ("epochs: 2", 'epochs: "2"', "`training.epochs`: needs a whole number, got '2'"),
        ("epochs: 2", "epochs: true", "`training.epochs`: needs a whole number, got true"),
        ("epochs: 2", "epochs:", "`training.epochs`: needs a whole number, got nothing"),
        ("hidden_size: 8", "dropout: 1", "`shared.dropout`: needs a number below 1, got 1"),
        ("hidden_size: 8", "dropout: .nan", "`shared.dropout`: needs a finite number, got nan"),
        ("hidden_size: 8", "dropout: half", "`shared.dropout`: needs a number, got 'half'"),
        ("hidden_size: 8", "raw_stores: 1", "`shared.raw_stores`: needs true or false, got 1"),
        ("{scheme: implicit}", "{scheme: implicit, may_diverge: maybe}", "`arms.implicit.may_diverge`: needs true or false, got 'maybe'"),
        ("hidden_size: 8", "steps_per_day: 0.5", "`shared.steps_per_day`: needs a whole number, got 0.5"),
        ("hidden_size: 8", "steps_per_day: 0", "`shared.steps_per_day`: needs a number at least 1, got 0"),
        ("hidden_size: 8", "forcing: [prcp, et_obs]", "et_obs: has one value for 8 days, and forcing needs one for each day"),
        ("hidden_size: 8", "forcing: [prcp, qobs]", "`shared.forcing`: qobs is what is to be simulated, and cannot be forcing; take it"),
        ("hidden_size: 8", "forcing: []", "`shared.forcing`: needs a list of forcing names (or a set: hbv, gr4j, daymet), got []"),
        ("hidden_size: 8", "forcing: prcp", "`shared.forcing`: needs a list of forcing names, such as [prcp]"),
        ("hidden_size: 8", "forcing: [prcp, prcp]", "`shared.forcing`: each value may stand once, 'prcp' stands more often"),
        ("hidden_size: 8", "attributes: 3", "`shared.attributes`: needs a list of attribute names (or a set: table_a1, climate), got 3"),
        ("hidden_size: 8", "fixed: [NDC]", "`shared.fixed`: needs parameters and their values, such as {NDC: 1}, got ['NDC']"),
        ("epochs: 2", "learning_rate: 0", "`training.learning_rate`: needs a rate above 0"),
        ("epochs: 2", "learning_rate: [[2, 1.0]]", "`training.learning_rate`: steps begin at epoch 1 and go upwards, got epochs [2]"),
        ("epochs: 2", "learning_rate: [[1, 1.0], [1, 0.5]]", "steps begin at epoch 1 and go upwards, got epochs [1, 1]"),
        ("epochs: 2", "learning_rate: []", "steps begin at epoch 1"),
        ("epochs: 2", "gradient_norm: 0", "`training.gradient_norm`: needs a number above 0, got 0"),
        ("epochs: 2", "loss_weight: 1.5", "`training.loss_weight`: needs a number at most 1, got 1.5"),
        ("question: Does the scheme matter?", "question: ' '", "study.yaml:1: `question`: needs some words"),
        ("seeds: [1, 2]", "seeds: [1, 1]", "study.yaml:12: `seeds`: each value may stand once, 1 stands more often"),
        ("seeds: [1, 2]", "seeds: [1, -2]", "study.yaml:12: `seeds.1`: needs a number at least 0, got -2"),
        ("seeds: [1, 2]", "seeds: []", "`seeds`: needs at least 1, got []"),
        ("seeds: [1, 2]", "seeds: 3", "`seeds`: needs a list, got 3"),
        ("seeds: [1, 2]", "seeds: [1]\nresources: {cpus: 0}", "`resources.cpus`: needs a number at least 1, got 0"),
        ("seeds: [1, 2]", "seeds: [1]\nresources: {gpus: some}", "`resources.gpus`: needs `auto` or a number from 0 on"),
        ("seeds: [1, 2]", "seeds: [1]\nresources: {gpus: -1}", "`resources.gpus`: needs `auto` or a number from 0 on"),
        ("  sequential: {scheme: sequential}", "  my arm: {scheme: sequential}", "`arms.my arm`: an arm's name begins with"),
        ("  sequential: {scheme: sequential}", "  a/b: {scheme: sequential}", "an arm's name begins with"),
        ("  sequential: {scheme: sequential}", "  sequential: implicit", "`arms.sequential`: needs a mapping of keys"),
        ("reader: synthetic, basins: 4", "reader: camels-us, basins: 4", "`data.reader`: real basins are read once"),
        ("reader: synthetic, basins: 4", "reader: camels, basins: 4", "`data.reader`: unknown reader 'camels'; did you mean `camels-us`?"),
        # Combinations
        ("{scheme: implicit}", "{scheme: implicit, raw_stores: true}", "`arms.implicit.raw_stores`: has a meaning for schemes"),
        ("hidden_size: 8", "steps_per_day: 4", "study.yaml:6: `shared.steps_per_day`: the sequential scheme's limits are rates per day"),
        ("hidden_size: 8", "dynamic: [BETA, betaet]", "`shared.dynamic`: unknown parameter of hbv 'betaet'; did you mean `BETAET`?"),
        ("hidden_size: 8", "dynamic: [C]", "`shared.dynamic`: C belongs to capillary rise, which is off"),
        ("hidden_size: 8", "fixed: {NDC: 1}", "`shared.fixed`: NDC belongs to capillary rise, which is off"),
        ("{scheme: implicit}", "{physics: gr4}", "`arms.implicit.physics`: unknown physics 'gr4'; did you mean `gr4j`? Known: hbv, gr4j"),
        (
            "hidden_size: 8",
            "physics: gr4j\n  dynamic: [BETA, NDC]",
            "study.yaml:7: `shared.dynamic`: physics gr4j has no BETA, NDC, its parameters are X1, X2, X3, X4; write these, or another",
        ),
        (
            "{scheme: implicit}",
            "{physics: gr4j, capillary_rise: true}",
            "`arms.implicit.capillary_rise`: physics gr4j has none, its parameters are X1, X2, X3, X4; write `capillary_rise: false`",
        ),
        ("hidden_size: 8", "physics: gr4j\n  fixed: {X3: 0}", "`shared.fixed`: X3 must be above 0 mm, got 0"),
        ("hidden_size: 8", "fixed: {QQ: 1}", "`shared.fixed`: unknown parameter of hbv 'QQ'; known: BETA, FC"),
        ("hidden_size: 8", "dynamic: [FC]\n  fixed: {FC: 100}", "study.yaml:6: `shared.dynamic`: FC cannot be both dynamic and fixed"),
        ("hidden_size: 8", "fixed: {FC: 0}", "`shared.fixed`: FC must be above 0 mm, got 0"),
        ("hidden_size: 8", "fixed: {PERC: -1}", "`shared.fixed`: PERC must be at least 0 mm/d, got -1"),
        ("hidden_size: 8", "fixed: {PERC: .inf}", "`shared.fixed`: needs parameters and their values"),
        ("{scheme: implicit}", "{model: lstm, scheme: implicit}", "`arms.implicit.scheme`: has no meaning for model lstm"),
        ("{scheme: implicit}", "{loss: nse, loss_weight: 0.3}", "`arms.implicit.loss_weight`: has no meaning for loss nse"),
        ("{scheme: implicit}", "{model: lstm, attributes: [aridity]}", "`arms.implicit.attributes`: recipe feng2020 divides"),
        ("hidden_size: 8", "attributes: [p_mean, q_mean]", "study.yaml:6: `shared.attributes`: q_mean: computed from observed discharge"),
        ("epochs: 2", "checkpoint: best", "study.yaml:8: `training.checkpoint`: `best` needs a validation period, the split has none"),
        ("epochs: 2", "window: 1462", "study.yaml:8: `training.window`: a training sample needs 365 days of warm-up"),
        ("{scheme: implicit}", "{}", "study.yaml:11: `arms.implicit`: arms `sequential` and `implicit` come to the same settings"),
        ("{scheme: implicit}", "{scheme: sequential, may_diverge: true}", "arms `sequential` and `implicit` come to the same settings"),
        # External arms
        ("{scheme: implicit}", "{external: t.csv, scheme: rk4}", "study.yaml:11: `arms.implicit.scheme`: has no meaning for an"),
        ("{scheme: implicit}", "{external: t.csv, epochs: 3}", "study.yaml:11: `arms.implicit.epochs`: has no meaning for an external arm"),
        ("{scheme: implicit}", "{external: t.csv, may_diverge: true}", "`arms.implicit.may_diverge`: has no meaning for an external arm"),
        ("{scheme: implicit}", "{external: t.csv, colums: {}}", "`arms.implicit.colums`: unknown key; did you mean `columns`?"),
        ("{scheme: implicit}", "{externl: t.csv}", "study.yaml:11: `arms.implicit.externl`: unknown key; did you mean `external`?"),
        ("{scheme: implicit}", "{external: 5}", "study.yaml:11: `arms.implicit.external`: needs text, got 5"),
        ("{scheme: implicit}", "{external: ' '}", "`arms.implicit.external`: needs some words"),
        ("{scheme: implicit}", "{external: t.csv, columns: {sim: q}}", "`arms.implicit.columns.sim`: unknown key; did you mean `qsim`?"),
        ("{scheme: implicit}", "{external: t.csv, columns: {qsim: 1}}", "`arms.implicit.columns.qsim`: needs text, got 1"),
        ("{scheme: implicit}", "{external: t.csv, columns: {qsim: ''}}", "`arms.implicit.columns.qsim`: needs the name of a column"),
        ("{scheme: implicit}", "{external: t.csv, columns: {qsim: date}}", "`arms.implicit.columns`: basin, date and qsim need a column"),
        ("{scheme: implicit}", "{external: t.csv, columns: [q]}", "`arms.implicit.columns`: needs a mapping of keys to values, got ['q']"),
        ("{scheme: implicit}", "{columns: {qsim: q}}", "study.yaml:11: `arms.implicit.columns`: has a meaning beside `external` only"),
        ("  hidden_size: 8", "  external: t.csv", "study.yaml:6: `shared.external`: unknown key here; it belongs in `arms`"),
        ("{scheme: implicit}", "{external: t.csv}\n  b: {external: t.csv}", "arms `implicit` and `b` come to the same settings"),
        ("better: implicit", "better: exphydro", "`compare.0.better`: there is no arm 'exphydro'"),
        # Periods
        (TRAIN, "train: [1991-09-30, 1986-10-01]", "`split.train`: an empty period: its first day 1991-09-30 comes"),
        (TRAIN, "train: [1986-10-01, 1991-09-31]", "study.yaml:3: `split.train.1`: not a possible value: 1991-09-31"),
        (TRAIN, "train: [1986-10-01]", "`split.train`: needs a first and a last day"),
        (TRAIN, "train: [1986, 1991]", "such as [1989-10-01, 1999-09-30], got [1986, 1991]"),
        (TRAIN, "train: [1986-10-01T00:00:00, 1991-09-30]", "`split.train`: needs a first and a last day"),
        (TRAIN, "train: [1986-10-01, 1993-10-10]", "study.yaml:3: `split.test`: 10 days (1993-10-01..1993-10-10) of"),
        ("train: [1986", "validation: [1995-09-30, 1996-01-01], train: [1986", "same basins are also in `split.validation`"),
        ("train: [1986", "validation: [1990-10-01, 1991-09-30], train: [1986", "`split.validation`: 365 days"),
        # Splits
        (TRAIN, f"kind: pubs, {TRAIN}", "`split.kind`: unknown split 'pubs'; did you mean `pub`? Known: temporal, pub, pur, frozen"),
        (TRAIN, f"folds: 3, {TRAIN}", "study.yaml:3: `split.folds`: has no meaning for split temporal; take it out, or write `kind: pub`"),
        (TRAIN, f"kind: pub, by: continent, {TRAIN}", "`split.by`: has no meaning for split pub; take it out, or write `kind: pur`"),
        (TRAIN, f"fold: 3, {TRAIN}", "`split.fold`: unknown key; did you mean `folds`?"),
        (TRAIN, f"kind: pub, folds: 1, {TRAIN}", "`split.folds`: needs a number at least 2, got 1"),
        (TRAIN, f"kind: pur, {TRAIN}", "study.yaml:3: `split.by`: is required: the fact that tells the groups, such as continent"),
        (TRAIN, f"kind: pur, by: x, groups: camel, {TRAIN}", "unknown set of groups 'camel'; did you mean `camels`?"),
        (TRAIN, f"kind: pur, by: x, groups: camels, {TRAIN}", "`split.by`: the groups `camels` go by huc_02: write `by: huc_02`, got 'x'"),
        (TRAIN, f"kind: pur, by: x, groups: [Europe], {TRAIN}", "`split.groups`: needs lists of values, such as [[Europe], [Asia,"),
        (TRAIN, f"kind: pur, by: x, groups: [[a], [b, a]], {TRAIN}", "`split.groups`: each value may stand once, 'a' stands more often"),
        (TRAIN, f"kind: pur, by: x, groups: [[01]], {TRAIN}", "`split.groups.0.0`: values of a fact are text: YAML reads 01 as 1; put"),
        (TRAIN, f"kind: pur, by: x, hold_out: [01], {TRAIN}", "`split.hold_out.0`: values of a fact are text: YAML reads 01 as 1; put it"),
        (TRAIN, f"kind: pur, by: x, hold_out: Europe, {TRAIN}", "`split.hold_out`: needs a list of texts, such as [Europe, Asia]"),
        (TRAIN, f"kind: frozen, {TRAIN}", "study.yaml:3: `split.file`: is required: a table of basins and periods, such as the split.csv"),
        (TRAIN, "kind: frozen, file: none.csv", "none.csv: this list of basins is required, there is none"),
        (TRAIN, f"kind: frozen, file: x, min_years: {{test: 1}}, {TRAIN}", "`split.min_years`: has no meaning for lists from a file"),
        (TRAIN, f"min_years: {{test: -1}}, {TRAIN}", "`split.min_years.test`: needs a number at least 0, got -1"),
        (TRAIN, f"min_years: {{tests: 1}}, {TRAIN}", "`split.min_years.tests`: unknown key; did you mean `test`?"),
        (TRAIN, f"min_years: {{test: 2.1}}, {TRAIN}", "`split.min_years.test`: 2.1 observed years are asked for, the period 1993-10-01.."),
        (TRAIN, f"min_years: 5, {TRAIN}", "`split.min_years`: needs a mapping of keys to values, got 5"),
        (TRAIN, f"kind: pub, validation: [1990-10-01, 1991-09-30], {TRAIN}", "`split.validation`: 365 days"),
        ("train: [1986", "warmup: 0, train: [1986", "`split.warmup`: needs a number at least 1, got 0"),
        # Claims
        ("better: implicit", "better: implict", "study.yaml:14: `compare.0.better`: there is no arm 'implict'; did you mean `implicit`?"),
        ("better: implicit", "better: sequential", "study.yaml:14: `compare.0`: an arm cannot be better than itself: 'sequential'"),
        ("metric: kge", "metric: r2", "study.yaml:14: `compare.0.metric`: unknown metric 'r2'; known: nse, kge"),
        ("metric: kge}", AGAIN, "study.yaml:15: `compare.1`: this claim is made twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(write, old, new, words):
    said = message(write((old, new)))
    assert words in said
    assert len(said.splitlines()) == 1


def test_an_lstm_on_windows_of_one_day_needs_their_context_in_the_test(write):
    lstm = ("sequential: {scheme: sequential}", "lstm: {model: lstm, window: 1}")
    said = message(write(lstm, ("than: sequential", "than: lstm"), ("test: [1993", "test_warmup: 300, test: [1993")))
    assert "`arms.lstm.window`: an LSTM trained on windows of one day sees the 365 warm-up days" in said


@pytest.mark.parametrize("key", ["basins", "exclude"])
def test_an_unquoted_basin_id_is_refused_with_the_reason(write, key):
    said = message(write(("{reader: synthetic, basins: 4, years: 10}", f'\n  shards: x\n  {key}:\n    - "01013500"\n    - 01022500')))
    assert said.endswith(f'study.yaml:6: `data.{key}.1`: basin ids are text: YAML reads 01022500 as 1022500; put it in quotes: "01022500"')


def test_every_arm_needs_a_model(write):
    said = message(write(("  model: dpl\n", ""), ("{scheme: implicit}", "{model: dpl}")))
    assert said.endswith("study.yaml:9: `arms.sequential`: `model` is required (lstm, dpl); write it in `shared` or in the arm")


def test_several_mistakes_are_said_at_once_in_the_order_of_lines(write):
    said = message(write(("hidden_size: 8", "hidden_size: 0"), ("metric: kge", "metric: r2"), ("epochs: 2", "epoch: 2")))
    assert [line.partition(".yaml:")[2].partition(":")[0] for line in said.splitlines()] == ["6", "8", "14"]


def test_a_mistake_in_shared_is_said_once_for_all_arms(write):
    assert len(message(write(("hidden_size: 8", "dynamic: [QQ]"))).splitlines()) == 1


def test_wrong_choices_of_basins(write):
    def said(text: str) -> str:
        return message(write(("{reader: synthetic, basins: 4, years: 10}", text)))

    assert "`data.basins`: needs `all`, a list of basin ids in quotes" in said("{shards: a/b, basins: 3}")
    assert "`data.basins`: needs `all`, a list of basin ids in quotes" in said("{shards: a/b, basins: {files: x}}")
    assert "`data.basins`: none.txt: this list of basins is required, there is none" in said("{shards: a/b, basins: {file: none.txt}}")
    assert "`data.shards`: needs a folder of shards, or a list of such folders, got []" in said("{shards: []}")
    assert "`data.shards`: each value may stand once, 'a' stands more often" in said("{shards: [a, a]}")
    assert "`data.without`: needs a list of texts" in said("{shards: a, without: doubtful}")
    assert "`data.fill`: needs a rule and the longest gap in days that it may fill, such as zero:5 or" in said("{shards: a, fill: zero}")
    assert "got 'mean:3'" in said("{shards: a, fill: mean:3}")
    assert "`data.basins`: each value may stand once" in said('{shards: a/b, basins: ["1", "1"]}')
    assert "`data.exclude`: needs a list of basin ids" in said('{shards: a/b, exclude: "1"}')
    assert "`data.seed`: unknown key" in said("{shards: a/b, seed: 1}")
    assert "`data`: needs a mapping of keys to values, got 'a/b'" in said("a/b")
    assert "`data`: needs a mapping of keys to values, got nothing" in said("")
