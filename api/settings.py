"""How the service is set up, from `DISPATCH_*` environment variables; refused if absurd."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MAX_DEADLINE_MS = 600_000


class Settings(BaseSettings):
    """Everything the operator decides; requests can change none of it.

    `model_dir` is the artefact that `models.save` wrote, `config` a TOML of
    `dispatch.config.DispatchConfig`. At most `max_concurrent` snapshots are worked on at once and
    `max_queued` wait; more are turned away.
    """

    model_config = SettingsConfigDict(
        env_prefix="DISPATCH_", frozen=True, extra="forbid", protected_namespaces=()
    )

    model_dir: Path | None = None
    config: Path | None = None
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 32 << 20
    default_deadline_ms: Annotated[int, Field(ge=1, le=MAX_DEADLINE_MS)] = 5_000
    max_deadline_ms: Annotated[int, Field(ge=1, le=MAX_DEADLINE_MS)] = 60_000
    max_concurrent: Annotated[int, Field(ge=1, le=64)] = 2
    max_queued: Annotated[int, Field(ge=0, le=10_000)] = 16
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _deadlines_agree(self) -> Self:
        if self.default_deadline_ms > self.max_deadline_ms:
            raise ValueError(
                f"expected default_deadline_ms in [1, max_deadline_ms = {self.max_deadline_ms}], "
                f"got {self.default_deadline_ms}"
            )
        return self
