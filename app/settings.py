"""Every setting, read from the environment once and passed on."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _data_folder() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/hounsfield/data")
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local/share")) / "hounsfield"


class Settings(BaseSettings):
    """What an operator may choose; each is an environment variable `HOUNSFIELD_…`."""

    model_config = SettingsConfigDict(env_prefix="HOUNSFIELD_", frozen=True, extra="ignore")

    data: Path = Field(
        default_factory=_data_folder,
        description="Folder of everything kept: embedded PostgreSQL, archive, lake, quarantine, keys.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="A PostgreSQL server (15 to 18) to use instead of the embedded one, "
        "as postgresql://owner:password@host:port/database.",
    )
    database_url_web: SecretStr | None = Field(
        default=None,
        description="The web process's own login. Without it, it logs in as the owner and takes the web role.",
    )
    database_url_worker: SecretStr | None = Field(
        default=None,
        description="The worker's own login. Without it, it logs in as the owner and takes the worker role.",
    )
    database_pool: int = Field(default=10, ge=1, le=200, description="Connections a process keeps.")
    definitions: Path | None = Field(
        default=None,
        description="A folder of the deployer's own registries, beside the packaged ones.",
    )
    archive_url: str | None = Field(
        default=None,
        description="Object store of the archive, s3://bucket/prefix; default: a folder in `data`.",
    )
    lake_url: str | None = Field(
        default=None,
        description="Object store of the lake, s3://bucket/prefix; a folder in `data` then holds copies of what is"
        " read. Default: that folder alone.",
    )
    quarantine_url: str | None = Field(
        default=None,
        description="Object store of the quarantine, s3://bucket/prefix; default: a folder in `data`.",
    )
    vault_key: SecretStr | None = Field(
        default=None, description="The vault's master key, 32 bytes in base64."
    )
    vault_key_file: Path | None = Field(
        default=None,
        description="A file that holds the master key; default: `vault.key` in `data`, made at the first start.",
    )
    host: str = Field(default="127.0.0.1", description="Address the web process listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port the web process listens on.")
    public_url: str | None = Field(
        default=None,
        description="The address users know us by. Links are built from it, never from the Host header.",
    )
    web_processes: int = Field(
        default=1, ge=1, le=64, description="Web processes of `hounsfield up` and `serve`."
    )
    worker_processes: int = Field(
        default=1, ge=1, le=64, description="Worker processes of `hounsfield up`."
    )
    check_processes: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Processes beside each worker that check the entries of large submissions; 1: the"
        " worker checks them itself; 0: one for each core, but no more than 8.",
    )
    submission_limit: int = Field(
        default=50 * 1024 * 1024, ge=1, description="Largest body of a submission, in bytes."
    )
    body_limit: int = Field(
        default=10 * 1024 * 1024,
        ge=1,
        description="Largest body of any other request, in bytes: what is entered, listed, published or proposed."
        " Entries in FHIR and reporting modules have limits of their own.",
    )
    image_limit: int = Field(
        default=2 * 1024 * 1024 * 1024, ge=1, description="Largest single DICOM instance, in bytes."
    )
    quarantine_days: int = Field(
        default=30,
        ge=1,
        description="Days that quarantined bytes are kept when a step could not use them, and that "
        "entries are kept while they are held or wait for their case.",
    )
    lease_seconds: float = Field(
        default=60.0,
        gt=0,
        description="How long a worker may hold a row before another may take it.",
    )
    tries: int = Field(default=5, ge=1, description="How often a row is tried before it is held.")
    compare_at: str = Field(
        default="02:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="When the nightly peer snapshots are taken, UTC.",
    )
    duckdb_memory: str = Field(
        default="2GB", description="Memory limit of one analytical connection."
    )
    duckdb_spill: str = Field(
        default="20GB", description="Disk limit of one analytical connection."
    )
    spark_master: str = Field(
        default="local[*]",
        description="Where `hounsfield recompute --engine spark` runs: local[n], or spark://host:port of a cluster"
        " that reaches the lake by the same names.",
    )
    spark_memory: str = Field(
        default="4g",
        description="Memory of Spark's driver, and of each executor, as Spark writes it.",
    )
    spark_settings: dict[str, str] = Field(
        default={},
        description="Further settings of Spark's, as a JSON object: they go before the service's own.",
    )
    qpp_vendor: str | None = Field(
        default=None,
        pattern=r"^[0-9]{7}$",
        description="The number under which CMS knows this registry as a QCDR. With it, measures that CMS"
        " lets other registries alone send are left out of exports.",
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")

    @property
    def address(self) -> str:
        """The address users know us by, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
