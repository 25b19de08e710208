import pytest

from tests.collector.config.toys import install, installed


@pytest.fixture(scope="package", autouse=True)
def toys(tmp_path_factory):
    with installed(install(tmp_path_factory.mktemp("site"))):
        yield
