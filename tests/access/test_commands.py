"""What an operator does at the command line: facilities, keys, the audit trail."""

import asyncio
import re
from collections.abc import Sequence

import pytest
from click.testing import Result
from sqlalchemy import select, text
from typer.testing import CliRunner

from app import access, audit
from app.access import Role
from app.catalogue import Catalogue
from app.cli import assembled
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.errors import RegistryError
from app.models.account import Participation, ParticipationTransition
from app.postgres import Addresses
from app.settings import Settings
from tests.make.accounts import REGISTRY

ADD = [
    *("facility", "add", "--name", "Riverside Imaging", "--street-1", "1 River Road"),
    *("--city", "Columbus", "--state", "OH", "--postal-code", "43210"),
    *("--phone", "+1 614 555 0100", "--category", "community", "--location", "rural"),
]


@pytest.fixture(autouse=True)
def operator(database: Addresses, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUNSFIELD_DATA", str(settings.data))
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL", database.owner)
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL_WEB", database.web)
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL_WORKER", database.worker)
    monkeypatch.setenv("COLUMNS", "200")

    async def publish() -> None:
        web = Database(database.web, DatabaseRole.WEB, pool=1)
        async with web.transaction(EVERYTHING) as session:
            await Catalogue(settings).publish_packaged(session)
        await web.close()

    asyncio.run(publish())


def run(*words: str) -> Result:
    return CliRunner().invoke(assembled(words[0]), words)


def printed(words: Sequence[str]) -> str:
    result = run(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output.strip()


def refused(words: Sequence[str]) -> str:
    result = run(*words)
    assert isinstance(result.exception, RegistryError), (result.output, result.exception)
    assert "\n" not in str(result.exception)
    return str(result.exception)


def asked(database: Addresses, text_: str) -> access.Asker:
    async def ask() -> access.Asker:
        web = Database(database.web, DatabaseRole.WEB, pool=1)
        try:
            async with web.transaction(EVERYTHING) as session:
                return await access.authenticate(session, text_)
        finally:
            await web.close()

    return asyncio.run(ask())


def test_a_facility_is_added_with_an_account_of_its_own_and_listed() -> None:
    number = printed(ADD)
    assert re.fullmatch(r"\d{6}", number)
    account = re.search(
        rf"{number} .*Riverside Imaging\s*\W\s*(\d+)", printed(["facility", "list"])
    )
    assert account
    sibling = printed([*ADD, "--corporate-account", account[1], "--npi", "1234567893"])
    assert int(sibling) == int(number) + 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--name", "9"], "--name"),
        (["--npi", "1234567890"], "--npi"),
        (["--number", "12"], "--number"),
        (["--corporate-account", "2000000"], "corporate account"),
        (["--state", "Ohio"], "--state"),
    ],
)
def test_what_is_wrong_with_a_facility_is_told_in_one_line(change: list[str], word: str) -> None:
    told = refused([*ADD, *change])
    assert word in told
    assert "1234567890" not in told


def test_a_facility_is_admitted_through_every_step_and_may_be_again(database: Addresses) -> None:
    number = printed(ADD)
    admit = [
        "facility",
        "admit",
        number,
        REGISTRY,
        "--signed-by",
        "A. Signer",
        "--on",
        "2026-01-05",
    ]
    assert "active" in printed(admit)
    assert "active" in printed(admit)

    async def steps() -> list[str]:
        worker = Database(database.worker, DatabaseRole.WORKER, pool=1)
        try:
            async with worker.transaction() as session:
                return list(
                    await session.scalars(
                        select(ParticipationTransition.state)
                        .join(
                            Participation,
                            Participation.id == ParticipationTransition.participation_id,
                        )
                        .where(Participation.facility_id == int(number))
                        .order_by(ParticipationTransition.id)
                    )
                )
        finally:
            await worker.close()

    assert asyncio.run(steps()) == ["applied", "agreement-signed", "fee-settled", "active"]


def test_nobody_is_admitted_to_what_is_not_there() -> None:
    assert "registry" in refused(
        ["facility", "admit", printed(ADD), "no-such-registry", "--signed-by", "A. Signer"]
    )
    assert "facility" in refused(["facility", "admit", "999999", REGISTRY, "--signed-by", "A. B"])


def test_a_key_is_printed_once_listed_without_its_secret_and_ended(database: Addresses) -> None:
    number = printed(ADD)
    key = printed(
        ["key", "create", "--role", "registrar", "--facility", number, "--registry", REGISTRY]
    )
    found = asked(database, key)
    assert (found.role, found.facilities) == (Role.REGISTRAR, {int(number)})
    listed = printed(["key", "list"])
    assert found.key_id in listed
    assert key.rpartition("_")[2] not in listed
    assert found.key_id in printed(["key", "revoke", found.key_id])
    with pytest.raises(RegistryError):
        asked(database, key)
    assert "no key" in refused(["key", "revoke", "aaaaaaaaaaaa"])


@pytest.mark.parametrize(
    "words",
    [
        ["--role", "registrar"],
        ["--role", "registrar", "--facility", "999999"],
        ["--role", "operator", "--facility", "100000"],
        ["--role", "partner"],
        ["--role", "corporate-administrator", "--corporate-account", "2000000"],
    ],
)
def test_a_key_whose_bounds_do_not_fit_is_refused_in_one_line(words: list[str]) -> None:
    assert refused(["key", "create", *words])


def test_the_operators_own_key_reaches_everything(database: Addresses) -> None:
    found = asked(database, printed(["key", "create", "--role", "operator", "--days", "1"]))
    assert found.scope.everything


def test_the_audit_trail_is_verified_and_a_forger_is_found_out(database: Addresses) -> None:
    printed(ADD)

    async def seal() -> int:
        worker = Database(database.worker, DatabaseRole.WORKER, pool=1)
        try:
            async with worker.transaction() as session:
                return await audit.seal(session)
        finally:
            await worker.close()

    assert asyncio.run(seal()) > 0
    assert re.search(r"Block \d+ up to event \d+: [0-9a-f]{64}", printed(["audit", "verify"]))
    assert re.search(r"\d+ [0-9a-f]{64}", printed(["audit", "head"]))

    async def forge() -> None:
        owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
        async with owner.transaction() as session:
            await session.execute(text("UPDATE audit_events SET action = 'nothing'"))
        await owner.close()

    asyncio.run(forge())
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert "altered" in result.output
