"""The contract on an engine of this machine."""

import pytest
from contracts.sandbox_contract import SandboxContract

from sandbox.docker.local import LocalSandbox
from sandbox.model import Sandbox

pytestmark = pytest.mark.service


class TestLocalSandbox(SandboxContract):
    """`LocalSandbox` keeps the contract."""

    @pytest.fixture
    def sandbox(self, local: LocalSandbox) -> Sandbox:
        return local
