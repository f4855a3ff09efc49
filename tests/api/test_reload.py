"""A bad artefact leaves the last good one serving."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from api.main import create_app
from api.settings import Settings
from dispatch.datasets import load_sample_offers
from models import AcceptanceParams, save, train

TINY = AcceptanceParams(max_trees=5, n_bags=0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reload") / "model"
    save(train(load_sample_offers().head(1500), TINY), folder)
    return folder


def _damage(folder: Path) -> None:
    content = bytearray((folder / "model.bin").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.bin").write_bytes(content)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal here")
def test_on_sighup_a_good_model_is_taken_and_a_bad_one_is_not(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    app = create_app(Settings(model_dir=folder))
    service = app.state.service

    async def until(reached: str) -> None:
        for _ in range(600):
            if reached in (service.fault, service.loaded.model.version):
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(reached)

    async def scenario() -> None:
        async with app.router.lifespan_context(app):
            first = service.loaded.model.version
            _damage(folder)
            os.kill(os.getpid(), signal.SIGHUP)
            while not service.fault:
                await asyncio.sleep(0.02)
            assert "model.bin: SHA-256 differs" in service.fault
            assert service.dispatcher.model.version == first
            other = train(load_sample_offers().head(1600), TINY)
            shutil.rmtree(folder)
            save(other, folder)
            os.kill(os.getpid(), signal.SIGHUP)
            await until(other.version)
            assert service.fault == ""

    asyncio.run(asyncio.wait_for(scenario(), 60))
