import pytest

# What a developer's shell may say to the programs under test.
OUTSIDE = ("STUDYHUB_HOME", "RAY_ADDRESS", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES")


@pytest.fixture(scope="session", autouse=True)
def plain_environment():
    with pytest.MonkeyPatch.context() as patch:
        for name in OUTSIDE:
            patch.delenv(name, raising=False)
        yield
