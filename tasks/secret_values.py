"""The value of a secret that headway.yaml names, wherever it is kept."""

from pydantic import SecretStr

from blocks.secret_block import load_secret
from delivery.ports.aws_account import AwsAccount
from delivery.spec.aws_secret import aws_secret_name


def load_value(name: str, account: AwsAccount | None = None) -> SecretStr | None:
    """Return the value: of a Prefect secret block, or, for `aws-secretsmanager:NAME#KEY`, as the account has it.

    None when there is no such block; Misconfigured when the account has no such secret, or the secret no such key.
    """
    elsewhere = aws_secret_name(name)
    if elsewhere is None:
        return load_secret(name)
    from delivery import opening

    return opening.open_secrets(account).read(elsewhere)
