from pathlib import Path

import pytest

from studyhub.runner.tracking import Tracking


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://hydro:secret@db:5432/mlflow", "postgresql://hydro:***@db:5432/mlflow"),
        ("postgresql://hydro:se%40cr%2Fet@/mlflow?host=/run", "postgresql://hydro:***@/mlflow?host=/run"),
        ("postgresql://hydro:se@cret@db/mlflow", "postgresql://hydro:***@db/mlflow"),
        ("postgresql+psycopg://db/mlflow?user=hydro&password=secret&sslmode=require", None),
        ("https://hydro:secret@mlflow.example.org/a", "https://hydro:***@mlflow.example.org/a"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
        ("http://host/a@b:c@d", "http://host/a@b:c@d"),
    ],
)
def test_passwords_are_never_shown(uri, shown):
    tracking = Tracking(uri, None)
    expected = shown or uri.replace("secret", "***")
    assert (str(tracking), repr(tracking)) == (expected, f"Tracking({expected!r})")


@pytest.mark.parametrize("message", ["cannot reach {uri}", "authentication of se%40cr/et failed", "authentication of se@cr/et failed"])
def test_causes_hold_no_password(message):
    uri = "postgresql://hydro:se%40cr/et@db/mlflow"
    cause = Tracking(uri, None).cause(RuntimeError(message.format(uri=uri)))
    assert "***" in cause
    assert not {"se%40cr", "se@cr"} & set(cause.split("/"))


def test_a_cause_is_what_lies_at_the_bottom_in_one_line():
    tracking = Tracking("http://127.0.0.1:1", None)
    try:
        try:
            raise ConnectionRefusedError("Connection refused\nis the server running?")
        except OSError as refused:
            raise RuntimeError("many words " * 100) from refused
    except RuntimeError as error:
        assert tracking.cause(error) == "Connection refused"
    assert tracking.cause(KeyError()) == "KeyError"
    assert len(tracking.cause(ValueError("x" * 1000))) == 200
    missing = ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
    assert "pip install 'studyhub[postgresql]'" in tracking.cause(missing)


def test_where_mlflow_is(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    own = Tracking.of(Path("home"))
    assert own == Tracking(f"sqlite:///{tmp_path}/home/mlflow.db", tmp_path / "home" / "mlartifacts", own=True)
    assert not own.exists
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mlflow.db").touch()
    assert own.exists
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://db/mlflow")
    assert Tracking.of(Path("home")) == Tracking("postgresql://db/mlflow", tmp_path / "home" / "mlartifacts")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example.org/sub/")
    server = Tracking.of(Path("home"))
    assert (server.is_server, server.artifacts, server.address) == (True, None, "https://mlflow.example.org/sub")
