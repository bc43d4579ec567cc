"""What a platform keeps for all its runs, wherever that is: its artifact store, its leases, its images."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from delivery.changes.lease import LeaseBook
from delivery.errors import Misconfigured
from delivery.home import LOCK_SETTING, Home
from delivery.ports.aws_account import AwsAccount
from delivery.ports.leases import Leases
from delivery.ports.registry import Registry
from delivery.ports.store import FolderStore, Store

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_ADDRESS = re.compile(r"^s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.+))?$")

_LOCK = re.compile(r"^(?P<mode>governance|compliance):(?P<days>[1-9]\d{0,4})$")
LONGEST_LOCK_DAYS = 36500  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html: repositoryName
_ECR = re.compile(r"^ecr:(?://)?(?P<account>\d{12})?/?(?P<prefix>[a-z0-9]+(?:[._/-][a-z0-9]+)*)?$")


def open_store(address: str, lock: str = "") -> Store:
    """Return the store at `address`: the absolute path of a folder, or `s3://BUCKET/PREFIX`.

    `lock`: for how long nothing can be removed that is written to it, `governance:DAYS` or `compliance:DAYS`.
    """
    if not is_in_bucket(address):
        return FolderStore(Path(address))
    from delivery.aws.s3_store import Lock, S3Store

    bucket, prefix = parts_of(address)
    mode, days = _lock_of(lock)
    return S3Store(_s3(), bucket, prefix, Lock(days, mode) if days else None)


def open_leases(home: Home) -> Leases:
    """Return the leases of a platform."""
    if home.bucket is None:
        return LeaseBook.of(home)
    from delivery.aws.s3_leases import S3Leases

    bucket, prefix = parts_of(home.bucket)
    return S3Leases(_s3(), bucket, prefix, platform=lambda: home.identity)


def check_state(home: Home) -> None:
    """Return when there is the bucket that the platform keeps its state in, and may be used; Misconfigured when not."""
    _, days = _lock_of(home.lock)
    if home.bucket is None:
        if days:
            raise Misconfigured(LOCK_SETTING, f"{home.lock}, but HEADWAY_STORE is no bucket", "s3://BUCKET/PREFIX")
        return
    from delivery.aws.bucket import check_bucket, check_object_lock

    bucket = parts_of(home.bucket)[0]
    check_bucket(_s3(), bucket, "HEADWAY_STORE")
    if days:
        check_object_lock(_s3(), bucket, LOCK_SETTING)


def open_registry(address: str, account: AwsAccount | None = None) -> Registry:
    """Return the registry at `address`: `host:port/prefix`, or `ecr://ACCOUNT/PREFIX`.

    Without an account number it is the registry of `account`, or of the credentials that AWS's own programs find.
    """
    if "://" not in address:
        return Registry.at(address)
    found = _ECR.match(address.rstrip("/"))
    if not found:
        raise Misconfigured("image registry", address, "host:port, host:port/prefix, ecr://, ecr://ACCOUNT/PREFIX")
    where = found["account"], found["prefix"] or ""
    return _ecr(*where, account) if account else _own_ecr(*where, *_variables())


def is_in_bucket(address: str) -> bool:
    """Whether an address is that of a place in a bucket, and not a path."""
    return "://" in address


def _lock_of(lock: str) -> tuple[str, int]:
    """Return mode and days of a lock; no days: nothing is locked."""
    if not lock:
        return "", 0
    if not (found := _LOCK.match(lock)) or int(found["days"]) > LONGEST_LOCK_DAYS:
        raise Misconfigured(LOCK_SETTING, lock, f"governance:DAYS, compliance:DAYS; DAYS from 1 to {LONGEST_LOCK_DAYS}")
    return found["mode"].upper(), int(found["days"])


def parts_of(address: str) -> tuple[str, str]:
    """Return the bucket of a place in one, and the prefix there; Misconfigured when the address names none."""
    found = _ADDRESS.match(address.rstrip("/"))
    if not found:
        raise Misconfigured("HEADWAY_STORE", address, "the path of a folder, or s3://BUCKET/PREFIX")
    return found["bucket"], found["prefix"] or ""


def _s3() -> Any:
    """Return the client of this process: with the credentials and the region that AWS's own programs find."""
    return _client(*_variables())


def _variables() -> tuple[str | None, ...]:
    """Return what makes another client of it."""
    return tuple(os.environ.get(name) for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_PROFILE"))


@cache
def _client(*_: str | None) -> Any:
    from delivery.aws.access import AwsAccess

    return AwsAccess().client("s3")


@cache
def _own_ecr(number: str | None, prefix: str, *_: str | None) -> Registry:
    """Return a registry that the credentials of this process are let into: steps ask for it again and again."""
    return _ecr(number, prefix, AwsAccount())


def _ecr(number: str | None, prefix: str, account: AwsAccount) -> Registry:
    from delivery.aws.access import AwsAccess
    from delivery.aws.ecr import EcrImages

    return EcrImages(AwsAccess(account).in_phase("publish"), number).registry(prefix)
