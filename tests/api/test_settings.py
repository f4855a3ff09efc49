"""Settings come from the environment, are frozen, and refuse what is absurd."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.settings import Settings


def test_the_environment_is_read_under_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCH_MAX_CONCURRENT", "5")
    monkeypatch.setenv("DISPATCH_MODEL_DIR", "/srv/model")
    settings = Settings()
    assert settings.max_concurrent == 5
    assert str(settings.model_dir) == "/srv/model"
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_concurrent = 6


@pytest.mark.parametrize(
    "absurd",
    [
        {"max_concurrent": 0},
        {"max_concurrent": 1000},
        {"max_queued": -1},
        {"max_body_bytes": 0},
        {"max_body_bytes": 1 << 40},
        {"max_deadline_ms": 0},
        {"log_level": "LOUD"},
        {"max_concurent": 2},
    ],
    ids=str,
)
def test_an_absurd_value_is_refused_by_name(absurd: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(absurd))):
        Settings(**absurd)


def test_a_default_deadline_above_the_largest_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_deadline_ms = 1000"):
        Settings(default_deadline_ms=2000, max_deadline_ms=1000)
