import hypothesis
import pytest

# Machines are shared: how long an example takes says nothing of what is tested.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# What a developer's shell may say to the programs under test.
OUTSIDE = ("STUDYHUB_HOME", "RAY_ADDRESS", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES")


@pytest.fixture(scope="session", autouse=True)
def plain_environment():
    with pytest.MonkeyPatch.context() as patch:
        for name in OUTSIDE:
            patch.delenv(name, raising=False)
        patch.setenv("STUDYHUB_CACHE_GB", "0.05")  # of the many small basins that tests make
        yield


@pytest.fixture
def globals_as_before():
    """Trials set what is global to their process, which here is that of all tests."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no process is left with one of them in the end. Skip what needs a GPU where there is none."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))
