"""The two users of the embedded ClickHouse and their passwords, kept in `<data dir>/credentials.json` (0600)."""

import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded.clickhouse.gate import Role
from deploy.embedded.process import EmbeddedError, write_whole

WRITER: Final = "touchline"
READER: Final = "bi"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """`repr` is off: passwords must not reach logs."""

    writer_password: str
    reader_password: str

    def role(self, user: str, password: str) -> Role | None:
        """None for a wrong user or password; takes the same time for each wrong password."""
        role = None
        for name, right, found in (
            (WRITER, self.writer_password, Role.WRITER),
            (READER, self.reader_password, Role.READER),
        ):
            same = hmac.compare_digest(password.encode(), right.encode())
            if hmac.compare_digest(user.encode(), name.encode()) and same:
                role = found
        return role


def _new_password() -> str:
    return secrets.token_urlsafe(24)


def credentials(
    data_dir: Path,
    *,
    writer_password: str | None = None,
    reader_password: str | None = None,
    new_password: Callable[[], str] = _new_password,
) -> Credentials:
    """Reads the file, or makes it; passwords given here replace those kept. Raises EmbeddedError."""
    path = data_dir / "credentials.json"
    kept = _read(path)
    found = Credentials(
        writer_password or kept.get(WRITER) or new_password(),
        reader_password or kept.get(READER) or new_password(),
    )
    wanted = {WRITER: found.writer_password, READER: found.reader_password}
    if wanted != kept:
        data_dir.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(wanted))
    return found


def _read(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (ValueError, PermissionError) as error:
        raise EmbeddedError(f"{path} cannot be read: {error}; repair it, or delete it to get new passwords") from error
    if not isinstance(stored, dict) or not all(isinstance(value, str) for value in stored.values()):
        raise EmbeddedError(f"{path} must hold one password per user; delete it to get new passwords")
    return stored
