"""Every knob of the service; all are environment variables with the prefix NTM_."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_NO_ORIGIN: Final = "{given} is no origin like https://dashboard.example.vn"
_NO_ADDRESS: Final = "{given} is no address like https://ntm.example.gov.vn"


class Settings(BaseSettings):
    """Settings as read from the environment; no secret has a default."""

    model_config = SettingsConfigDict(env_prefix="NTM_", frozen=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql://… by which the service works; without it the embedded one.",
    )
    database_owner_url: SecretStr | None = Field(
        default=None, description="postgresql://… of the owner, which alone migrates and loads."
    )
    database_pool: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Connections a process keeps for reading, and as many for writing.",
    )
    data_dir: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("ntm", appauthor=False),
        description="Folder of the embedded database, the signing key and automatic backups.",
    )
    rulesets_dir: Path | None = Field(
        default=None, description="Folder with rulesets of one's own: YAML files or sub-folders."
    )
    signing_key_file: Path | None = Field(
        default=None,
        description="Keys that sign tokens, made on first start; default: in the data folder.",
    )
    issuer: str = Field(
        default="http://127.0.0.1:8000",
        description="Address by which clients know the service; stands in every token.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins of dashboards in browsers, separated by commas."
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Largest request body that is read, in bytes."
    )
    body_seconds: float = Field(
        default=30, gt=0, le=3600, description="How long a request body may take to arrive."
    )
    max_import_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        description="Largest file that is taken for an import, in bytes.",
    )
    import_seconds: float = Field(
        default=600, gt=0, le=86_400, description="How long such a file may take to arrive."
    )
    import_at_once_bytes: int = Field(
        default=1024 * 1024,
        ge=0,
        description="A file up to this size is imported within its request; larger ones as a job.",
    )
    keep_imports_days: int = Field(
        default=30,
        ge=1,
        le=36_500,
        description="Days for which files of dry runs and refused rows are kept; reports stay.",
    )
    max_list_bytes: int = Field(
        default=32 * 1024 * 1024,
        ge=1024,
        description="Largest list of evidence (JSON, CSV, XLSX) that is taken, in bytes.",
    )
    names_keys_dir: Path | None = Field(
        default=None,
        description="Folder of the keys of names in lists; default: in the data folder.",
    )
    max_evidence_file_bytes: int = Field(
        default=50 * 1024 * 1024,
        ge=1024,
        description="Largest file of evidence that is taken, in bytes.",
    )
    evidence_dir: Path | None = Field(
        default=None, description="Folder of the files of evidence; default: in the data folder."
    )
    evidence_s3_url: str | None = Field(
        default=None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?$",
        description="Bucket for the files of evidence in place of the folder: s3://bucket/prefix.",
    )
    evidence_s3_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+/?$",
        description="Address of the bucket's server, where it is not AWS.",
    )
    evidence_s3_region: str | None = Field(default=None, description="Region of the bucket.")
    evidence_s3_key_id: str | None = Field(
        default=None, description="Who uses the bucket; default: as AWS's own tools find out."
    )
    evidence_s3_secret: SecretStr | None = Field(default=None, description="The secret of the key.")
    keep_names_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days after the end of a submission for which names are kept; unset: for ever.",
    )
    keep_evidence_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days after the end of a submission for which files are kept; unset: for ever.",
    )
    max_running: int = Field(
        default=3,
        ge=1,
        le=10_000,
        description="Requests a process works on at once; a burst waits, overload gets 503.",
    )
    rate_limit: int = Field(
        default=60_000, ge=0, description="Requests a minute of one client; 0 for no limit."
    )
    jobs_at_once: int = Field(
        default=1,
        ge=0,
        le=100,
        description="Jobs a process works on at once; 0: none here, `ntm worker` does them.",
    )
    rehearsal_day: datetime.date | None = Field(
        default=None,
        description="For rehearsals only: the day that the chain of approval takes for today.",
    )
    shutdown_seconds: int = Field(
        default=30, ge=1, le=3600, description="How long a stop waits for what is in flight."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="Log lines as JSON or for people; auto: people at a terminal."
    )
    metrics_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Port of /metrics; without it there is none."
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address at which /metrics listens.")
    audit_checkpoints: Path | None = Field(
        default=None,
        description="File of signed checkpoints of the audit; default: in the data folder.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(one.strip() for one in value.split(",") if one.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one != "*" and not _is_origin(one):
                raise PydanticCustomError(
                    "no_origin",
                    "{given} is no origin like https://dashboard.example.vn",
                    {"given": one},
                )
        return value

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
            raise PydanticCustomError(
                "no_address",
                "{given} is no address like https://ntm.example.gov.vn",
                {"given": value},
            )
        return value.rstrip("/")

    @property
    def keys(self) -> Path:
        """Return the file of the signing keys."""
        return self.signing_key_file or self.data_dir / "signing-keys.json"

    @property
    def names_keys(self) -> Path:
        """Return the folder of the keys of names in lists of evidence."""
        return self.names_keys_dir or self.data_dir / "evidence-keys"

    @property
    def evidence(self) -> Path:
        """Return the folder of the files of evidence."""
        return self.evidence_dir or self.data_dir / "evidence"

    @property
    def checkpoints(self) -> Path:
        """Return the file of the audit's checkpoints."""
        return self.audit_checkpoints or self.data_dir / "audit-checkpoints.jsonl"


class RemoteSettings(BaseSettings):
    """Settings of `ntm import` where it sends files to a service elsewhere; the service has none.

    Credentials come from the environment alone: whatever stands in a command is seen by others.
    """

    model_config = SettingsConfigDict(env_prefix="NTM_", frozen=True)

    api_url: str | None = Field(
        default=None,
        description="Address of the service that files are sent to; without it the own database.",
    )
    client_id: str | None = Field(default=None, description="The client that sends them.")
    client_secret: SecretStr | None = Field(default=None, description="Its secret.")


# Every variable that something reads; any other with this prefix is a mistake.
VARIABLES: Final = frozenset(
    f"NTM_{name.upper()}" for name in ("lang", *Settings.model_fields, *RemoteSettings.model_fields)
)


def _is_origin(text: str) -> bool:
    """Tell whether a browser can send this as an Origin: scheme, host, port, in lower case."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    written = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and (text == written and not set(text) & set("*@ "))
    )
