"""The command line as a whole: what it loads, wrong arguments, faults of ours, readers that stop reading. Verbs have their own tests."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studyhub import cli, prepared

STUDY = """\
question: Do two LSTMs differ?
data: {reader: synthetic, basins: 4, years: 6}
split: {train: [1986-10-01, 1988-09-30], test: [1990-10-01, 1991-09-30], warmup: 100, test_warmup: 200}
shared: {model: lstm, hidden_size: 4, forcing: [prcp, tmean, pet], attributes: [p_mean]}
arms: {small: {}, large: {hidden_size: 6}}
seeds: [1]
"""


@pytest.fixture
def study(tmp_path) -> Path:
    path = tmp_path / "two.yaml"
    path.write_text(STUDY)
    return path


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "two.yaml"], ["launch", "two.yaml", "--dry-run"], ["status"], ["retry", "two"]])
def test_help_plans_and_status_load_nothing_heavy(study, arguments):
    code = f"""
import sys
from studyhub.cli import main
code = main({arguments!r})
heavy = {{"torch", "ray", "pandas", "pyarrow", "numba", "mlflow", "optuna"}} & set(sys.modules)
sys.exit(f"loaded: {{heavy}}" if heavy else code)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=study.parent, capture_output=True, text=True)
    assert done.returncode == (2 if arguments[0] == "retry" else 0), done.stderr
    assert "loaded" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    ["launch", "launch none.yaml", "plan none.yaml", "nonsense", "ingest camels-us none --out x", "status --follow", "import none.zip"],
)
def test_arguments_that_make_no_sense(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments.split()) == 2
    err = capsys.readouterr().err
    assert err and "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["status", "report", "retry --failed", "mirror", "ui", "export"])
def test_a_study_that_is_not_there_is_one_message(verb, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = verb.split()
    assert cli.main([words[0], "solvrs", *words[1:]]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("studyhub: there is no study 'solvrs' in") and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_fault_of_ours_leaves_a_report_and_no_traceback(study, capsys, tmp_path, monkeypatch):
    def fault(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(prepared, "prepare", fault)
    monkeypatch.setenv("STUDYHUB_HOME", str(tmp_path))
    assert cli.main(["plan", str(study)]) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err and "RuntimeError" in err
    report = Path(err.rstrip().rpartition(" ")[2])
    assert report.parent == tmp_path
    text = report.read_text()
    assert 'raise RuntimeError("a bug")' in text and '"python"' in text and str(study) in text


def test_an_interrupt_is_no_fault(study, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepared, "prepare", interrupt)
    assert cli.main(["plan", str(study)]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("seeds", [1, 3000])
def test_a_reader_that_stops_reading_is_no_fault(study, seeds):
    """As `| head` does; of little output the end of the process is the first to notice."""
    command = [sys.executable, "-m", "studyhub.cli", "plan", str(study), "--set", f"seeds={list(range(seeds))}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=study.parent) as child:
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 0


def test_the_package_runs_as_a_module_and_as_a_script():
    script = Path(sys.executable).with_name("studyhub")
    for command in ([sys.executable, "-m", "studyhub"], [sys.executable, "-m", "studyhub.cli"], [str(script)]):
        done = subprocess.run([*command, "--help"], capture_output=True, text=True, env=os.environ | {"TERM": "dumb"})
        assert done.returncode == 0
        for verb in ("launch", "plan", "status", "ingest"):
            assert verb in done.stdout


@pytest.mark.parametrize("program", ["studyhub", "studyhub.launch"])
def test_an_interrupt_amid_the_imports_is_one_line(program, tmp_path):
    """Typer's import, which comes with all the others, takes as long as is needed here to press Ctrl-C."""
    (tmp_path / "typer.py").write_text("import sys, time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-c", f"import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); {_run(program)}"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout.readline() == "importing\n"
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30)[1] == "stopped\n"
    assert child.returncode == 130


def _run(program: str) -> str:
    return f"runpy.run_module({program!r}, run_name='__main__')"
