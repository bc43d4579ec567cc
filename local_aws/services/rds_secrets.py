"""The password of an instance's master user, and the secret that RDS keeps it in when it manages it."""

import json
import string
from typing import Any

from moto.moto_api._internal import mock_random
from moto.rds.models import DBInstance, MasterUserSecret

from local_aws.services import secrets
from local_aws.services.rds_records import DATABASES, Database, database_of

LENGTH = 28
# "Can include any printable ASCII character except "/", """, or "@"", and nothing that a shell or a URL reads.
LETTERS = string.ascii_letters + string.digits + "-_.~"


def password_of(database: Database) -> str:
    """Return what the master user logs in with: RDS's secret, or what was given."""
    instance = database.instance
    if instance.manage_master_user_password:
        return str(_content(instance.master_user_secret)["password"])
    return str(instance._master_user_password)


def rotate(managed: MasterUserSecret, token: str | None = None) -> None:
    """Put another password in the secret, which the agent gives to the database: "The secret value contains the updated
    password" (RotateMasterUserPassword).

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
    """
    content = {**_content(managed), "password": _made_up()}
    managed.secretsmanager.put_secret_value(
        managed.secret_arn,
        json.dumps(content),
        None,  # type: ignore[arg-type]  # it is text
        token,  # type: ignore[arg-type]  # none: one is made up
        [secrets.CURRENT],
    )
    if isinstance(managed.resource, DBInstance) and (database := database_of(managed.resource)):
        database.has_new_password = True
        database.want("resetting-master-credentials")


def rotate_by_secret(arn: str, token: str | None) -> None:
    """Rotate the password of the instance that has this secret; nothing where none has."""
    for database in DATABASES.values():
        managed = getattr(database.instance, "master_user_secret", None)
        if managed is not None and managed.secret_arn == arn:
            rotate(managed, token)


def _content(managed: MasterUserSecret) -> dict[str, Any]:
    found = managed.secretsmanager.get_secret_value(managed.secret_arn, None, secrets.CURRENT)  # type: ignore[arg-type]
    content: dict[str, Any] = json.loads(found["SecretString"])
    return content


def _name(self: MasterUserSecret) -> str:
    return f"rds!{self.resource.resource_type}-{mock_random.uuid4()}"


def _string(self: MasterUserSecret) -> str:
    """Return the secret: "username" and "password".

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
    """
    return json.dumps({"username": self.resource.master_username, "password": _made_up()})


def _status(self: MasterUserSecret) -> str:
    """Return it: creating, rotating, or active: "The secret is available for normal use and rotation."

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_MasterUserSecret.html
    """
    return {"creating": "creating", "resetting-master-credentials": "rotating"}.get(self.resource.status, "active")


def _made_up() -> str:
    return "".join(mock_random.choice(LETTERS) for _ in range(LENGTH))


def add() -> None:
    """Put ours in place of moto's, whose secret is the same for all, with a name that no restart finds again."""
    MasterUserSecret._generate_secret_name = _name  # type: ignore[method-assign]
    MasterUserSecret._generate_secret_string = _string  # type: ignore[method-assign]
    MasterUserSecret.secret_status = property(_status)  # type: ignore[assignment, method-assign]
    MasterUserSecret.rotate_secret = rotate  # type: ignore[method-assign, assignment]
    secrets.ROTATIONS["rds"] = rotate_by_secret
