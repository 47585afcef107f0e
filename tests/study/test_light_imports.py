import subprocess
import sys

import pytest

HEAVY = ("torch", "pandas", "pyarrow", "ray", "optuna", "mlflow", "numba", "scipy")


@pytest.mark.parametrize(
    ("modules", "more"),
    [
        (("studyhub.study.settings",), ("pydantic", "ruamel", "numpy")),
        (("studyhub.study.store", "studyhub.study.provenance"), ("pydantic", "ruamel", "numpy")),
        (("studyhub.errors", "studyhub.catalog"), ("pydantic", "ruamel")),
        (("studyhub.study.spec", "studyhub.study.plan", "studyhub.prepared"), ()),
        (("studyhub.study.status", "studyhub.study.status_text", "studyhub.study.estimate", "studyhub.study.archive"), ()),
        (("studyhub.cli",), ("pydantic", "ruamel")),
        (("studyhub.runner.progress", "studyhub.runner.show", "studyhub.runner.events"), ("pydantic", "ruamel", "numpy")),
    ],
)
def test_studies_are_read_without_the_scientific_stack(modules, more):
    program = f"import sys, {', '.join(modules)}; print(*sorted({{*{(*HEAVY, *more)!r}}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
