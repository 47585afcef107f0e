from problems import LINEAR_RESERVOIR, SMOOTH

from studyhub.kernels.source import kernel_source
from studyhub.solvers import implicit, sequential


def test_source_is_plain_and_reproducible():
    source = kernel_source(SMOOTH, implicit, "float32")
    assert source == kernel_source(SMOOTH, implicit, "float32")
    assert "torch" not in source
    compile(source, "kernel", "exec")


def test_constants_carry_the_kernel_precision():
    assert "R = np.float32" in kernel_source(LINEAR_RESERVOIR, sequential, "float32")
    assert "R = np.float64" in kernel_source(LINEAR_RESERVOIR, sequential, "float64")


def test_both_targets_have_the_same_arithmetic():
    def functions(target):
        source = kernel_source(SMOOTH, implicit, "float64", target)
        return source[source.index("def newton") : source.index("def forward(")].rpartition("\n@entry")[0]

    assert functions("cpu") == functions("cuda")
