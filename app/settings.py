"""Every knob of the service; all are environment variables with the prefix NTM_."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings as read from the environment; none of them is a secret."""

    model_config = SettingsConfigDict(env_prefix="NTM_", frozen=True)

    rulesets_dir: Path | None = Field(
        default=None, description="Folder with rulesets of one's own: YAML files or sub-folders."
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Largest request body that is read, in bytes."
    )
