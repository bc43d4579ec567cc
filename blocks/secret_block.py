"""Secret blocks: one value each, under the name that headway.yaml gives."""

import json
from typing import Any, cast

from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

KIND = "secret"
PAGE = 200


def load_secret(name: str) -> SecretStr | None:
    """Return the value as it was given, also where it looks like JSON; none when there is no such secret."""
    try:
        block = cast(Secret[Any], Secret.load(name, _sync=True))  # type: ignore[call-arg]
    except ValueError:
        return None
    value = block.value.get_secret_value()  # `get` would make a number of `0123`, and another text of JSON
    return SecretStr(value if isinstance(value, str) else json.dumps(value))


def save_secret(name: str, value: SecretStr) -> None:
    """Make sure there is a secret of that name with that value."""
    Secret(value=value).save(name, overwrite=True, _sync=True)  # type: ignore[call-arg]


def remove_secret(name: str) -> bool:
    """Make sure there is no secret of that name; return whether there was one."""
    with get_client(sync_client=True) as client:
        try:
            found = client.read_block_document_by_name(name, KIND, include_secrets=False)
        except ObjectNotFound:
            return False
        client.delete_block_document(found.id)
    return True


def secret_names() -> list[str]:
    """Return the names of all secrets; their values are not asked for."""
    names: list[str] = []
    with get_client(sync_client=True) as client:
        while True:
            try:
                page = client.read_block_documents_by_type(KIND, offset=len(names), limit=PAGE, include_secrets=False)
            except ObjectNotFound:
                return names
            names += [document.name for document in page if document.name]
            if len(page) < PAGE:
                return sorted(names)
