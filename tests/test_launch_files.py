"""The files of launch/ as far as a machine without SLURM, Kubernetes and Docker can tell."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import typer
import yaml

from studyhub.cli import app

ROOT = Path(__file__).parents[1]
LAUNCH = ROOT / "launch"
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
PAGES = sorted(LAUNCH.glob("*.md"))
STEP = """\
#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
SYMMETRIC = """\
#!/usr/bin/env bash
echo "$*" >>"$SAID"
while [[ $1 != -- ]]; do shift; done
"${@:2}"
"""
STUDYHUB = """\
#!/usr/bin/env bash
echo "studyhub $* at $RAY_ADDRESS, home $STUDYHUB_HOME" >>"$SAID"
trap 'exit 130' TERM
for _ in $(seq 300); do [[ -n ${CODE:-} ]] && exit "$CODE"; sleep 0.1; done
"""


def commands(page: Path) -> list[list[str]]:
    """Every ``studyhub VERB ...`` of a page, in its blocks and in its sentences."""
    text = page.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", text)
    found = [re.search(r"(?:^|bin/|-- |token )studyhub ([a-z].*)", line.partition("  #")[0]) for line in lines]
    return [shlex.split(match[1]) for match in found if match]


def verb(words: list[str]) -> tuple[typer.core.TyperCommand, list[str]]:
    """The command that words name, and what follows its name."""
    found: Any = typer.main.get_command(app)
    while words and hasattr(found, "commands"):
        assert words[0] in found.commands, f"no verb {words[0]}"
        found, words = found.commands[words[0]], words[1:]
    return found, words


def require_known(words: list[str]) -> None:
    command, rest = verb(words)
    known = {option for parameter in command.params for option in parameter.opts}
    for word in rest:
        assert not word.startswith("--") or word.partition("=")[0] in known, f"studyhub {shlex.join(words)}: no option {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_exist(page):
    found = commands(page)
    assert found
    for words in found:
        require_known(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page):
    for path in re.findall(r"(?:launch|search_spaces)/[\w.-]+\.(?:sh|yaml|md)", page.read_text()):
        assert (ROOT / path).is_file(), path
    for path in re.findall(r"\]\(([\w./-]+)\)", page.read_text()):
        assert (LAUNCH / path).is_file(), path


# SLURM


def test_the_slurm_script_is_sound():
    subprocess.run(["bash", "-n", LAUNCH / "slurm.sh"], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", LAUNCH / "slurm.sh"], check=True)


@pytest.fixture
def slurm(tmp_path):
    """Begins the script as SLURM would; srun, scontrol, ray and studyhub are stand-ins that write down what they are told."""
    bin_folder, begun = tmp_path / ".venv" / "bin", []
    bin_folder.mkdir(parents=True)
    control = '#!/usr/bin/env bash\necho "scontrol $*" >>"$SAID"\n'
    for name, text in {"srun": STEP, "ray": SYMMETRIC, "studyhub": STUDYHUB, "scontrol": control}.items():
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)

    def begin(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        told = {"SLURM_JOB_ID": "4321", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "4", "SAID": str(tmp_path / "said")}
        environment = os.environ | told | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "STUDYHUB_HEAD_IP": "10.0.0.1"} | variables
        script = ["bash", LAUNCH / "slurm.sh", *arguments]
        begun.append(subprocess.Popen(script, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def said(folder: Path) -> list[str]:
    path = folder / "said"
    return path.read_text().splitlines() if path.exists() else []


def begins(folder: Path) -> None:
    end = time.monotonic() + 20
    while not any(line.startswith("studyhub") for line in said(folder)):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_slurm_job_hands_its_study_to_the_head_of_its_ray(slurm, tmp_path):
    job = slurm("my study.yaml", "--set", "seeds=[1, 2]", CODE="0")
    out, _ = job.communicate(timeout=30)
    assert job.returncode == 0, out
    ray_said, studyhub_said = said(tmp_path)
    assert ray_said.startswith("symmetric-run --address 10.0.0.1:24321 --min-nodes 2 --num-cpus 4 -- ")
    assert studyhub_said == f"studyhub launch my study.yaml --set seeds=[1, 2] at 10.0.0.1:24321, home {tmp_path}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".venv", "said"]  # no token is left


def test_a_slurm_job_whose_time_is_over_goes_back_into_the_queue(slurm, tmp_path):
    job = slurm("a.yaml")
    begins(tmp_path)
    (token,) = tmp_path.glob(".studyhub-4321/token")
    assert token.stat().st_mode & 0o777 == 0o600 and len(token.read_text()) == 64
    job.send_signal(signal.SIGTERM)
    out, _ = job.communicate(timeout=30)
    assert (job.returncode, said(tmp_path)[-1]) == (130, "scontrol requeue 4321"), out
    assert "not finished: back into the queue" in out


def test_a_slurm_job_that_is_interrupted_stays_stopped(slurm, tmp_path):
    job = slurm("a.yaml")
    begins(tmp_path)
    job.send_signal(signal.SIGINT)
    out, _ = job.communicate(timeout=30)
    assert job.returncode == 130 and not any("requeue" in line for line in said(tmp_path)), out


@pytest.mark.parametrize(
    ("variables", "code", "told"),
    [
        ({"CODE": "1"}, 1, ""),
        ({"CODE": "130", "SLURM_RESTART_COUNT": "3", "STUDYHUB_RESTARTS": "3"}, 1, "not finished after 3 turns"),
    ],
)
def test_a_slurm_job_does_not_come_back_for_ever(slurm, tmp_path, variables, code, told):
    job = slurm("a.yaml", **variables)
    out, _ = job.communicate(timeout=30)
    assert (job.returncode, told in out) == (code, True), out
    assert not any("requeue" in line for line in said(tmp_path))


def test_a_slurm_job_says_what_it_needs(slurm):
    job = slurm()
    assert (job.communicate(timeout=30)[0], job.returncode)[1] == 2
    job = slurm("a.yaml", STUDYHUB_VENV="/nowhere", PATH="/usr/bin:/bin")
    assert "no studyhub in /nowhere/bin" in job.communicate(timeout=30)[0] and job.returncode == 2


# Ray cluster


def test_the_ray_cluster_file_is_one():
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((LAUNCH / "ray-cluster.yaml").read_text())
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(config, schema)
    whole = prepare_config(config)
    validate_config(whole)
    assert whole["available_node_types"]["local.cluster.node"]["min_workers"] == len(config["provider"]["worker_ips"])
    for command in config["head_start_ray_commands"] + config["worker_start_ray_commands"]:
        subprocess.run(["bash", "-n", "-c", command], check=True)


# Kubernetes


@pytest.fixture
def rayjob() -> dict[str, Any]:
    claim, job = yaml.safe_load_all((LAUNCH / "rayjob.yaml").read_text())
    assert claim["kind"] == "PersistentVolumeClaim" and claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    job["claim"] = claim["metadata"]["name"]
    return job


def test_the_rayjob_runs_this_version(rayjob):
    spec = rayjob["spec"]
    assert spec["rayClusterSpec"]["rayVersion"] == PINS["ray"] == ray.__version__
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    program, *words = shlex.split(spec["entrypoint"])
    assert program == "studyhub"
    require_known(words)
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    pods = [spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]]
    images = {container["image"] for pod in pods for container in pod["template"]["spec"]["containers"]}
    assert version and images == {f"registry.example.org/studyhub:{version[1]}"}


def test_pods_of_the_rayjob_mount_what_its_command_names(rayjob):
    spec = rayjob["spec"]
    words = shlex.split(spec["entrypoint"])
    study, home = words[2], words[words.index("--home") + 1]
    for group in (spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        (container,) = pod["containers"]
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        assert mounts[home]["persistentVolumeClaim"]["claimName"] == rayjob["claim"]
        assert mounts[str(Path(study).parent)]["configMap"]["name"] == "studies"
        assert set(container["resources"]["limits"]) <= set(container["resources"]["requests"]) | {"nvidia.com/gpu"}
    assert (ROOT / "search_spaces" / Path(study).name).is_file()


# Services and images


def test_the_services_are_for_this_machine_alone():
    services = yaml.safe_load((LAUNCH / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert re.search(r":v?\d+[.\d]+$", service["image"]), f"{name}: no version of {service['image']}"
        secrets = [value for key, value in service["environment"].items() if re.search("PASSWORD|SECRET|KEY", key)]
        assert all(value.startswith("${") for value in secrets), name
        assert "healthcheck" in service or service["command"][0] == "python", name
    asked = set(re.findall(r"\$\{(\w+)", (LAUNCH / "compose.yaml").read_text()))
    given = set(re.findall(r"^#? ?(\w+)=", (LAUNCH / ".env.example").read_text(), re.MULTILINE))
    assert asked == given
    assert subprocess.run(["git", "check-ignore", "-q", LAUNCH / ".env"], cwd=ROOT).returncode == 0


def test_compose_reads_the_services(tmp_path):
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not there")
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=a\nSTORAGE_KEY=b\nSTORAGE_SECRET=c\n")
    command = ["docker", "compose", "--env-file", tmp_path / ".env", "-f", LAUNCH / "compose.yaml", "config", "-q"]
    subprocess.run(command, check=True)


def test_the_images_copy_what_is_there():
    text = (LAUNCH / "Dockerfile").read_text()
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    services = yaml.safe_load((LAUNCH / "compose.yaml").read_text())["services"].values()
    built = {service["build"]["target"] for service in services if "build" in service}
    assert built | {"studyhub"} <= targets
    kept = {line[1:] for line in (LAUNCH / "Dockerfile.dockerignore").read_text().split() if line.startswith("!")}
    copied = {source for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for source in line.split()}
    assert copied == kept and all((ROOT / source).exists() for source in copied)
    assert set(re.findall(r"--from=(\S+)", text)) <= targets
