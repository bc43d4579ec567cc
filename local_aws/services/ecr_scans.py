"""ECR's scans: what they find is what a test says, and nothing where it says nothing."""

from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.exceptions import ScanNotFoundException
from moto.ecr.models import Image, Repository, ecr_backends
from moto.ecr.responses import ECRResponse

from local_aws.services.ecr_access import repository_of
from local_aws.services.ecr_images import find_asked


def describe_image_scan_findings(self: ECRResponse) -> ActionResult:
    """Return what a scan found: the last result that was put for the image with a POST to
    `/moto-api/static/ecr/scan-finding-results`, else nothing. "ScanNotFoundException: The specified image scan could
    not be found. Ensure that image scanning is enabled on the repository and try again."

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
    """
    repository = repository_of(self, "ecr:DescribeImageScanFindings")
    image = find_asked(repository, self._get_param("imageId"))
    if image.last_scan is None:
        named = f"{{imageDigest:'{image.image_digest}', imageTag:'{image.image_tag or 'null'}'}}"
        raise ScanNotFoundException(named, repository.name, repository.registry_id)
    told = {
        "registryId": repository.registry_id,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.image_digest, **({"imageTag": image.image_tag} if image.image_tags else {})},
        "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
        "imageScanFindings": {
            "imageScanCompletedAt": image.last_scan.replace(tzinfo=UTC),
            "vulnerabilitySourceUpdatedAt": image.last_scan.replace(tzinfo=UTC),
            "findings": [],
            "findingSeverityCounts": {},
        },
    }
    return ActionResult({**told, **_put(repository, image)})


def _put(repository: Repository, image: Image) -> dict[str, Any]:
    backend = ecr_backends[repository.registry_id][repository.region_name]
    for result in reversed(backend.scan_finding_results):
        named = result.get("imageId") or {}
        is_meant = (
            not named or named.get("imageDigest") == image.image_digest or named.get("imageTag") in image.image_tags
        )
        if result["repositoryName"] == repository.name and is_meant:
            return {key: _read(result[key]) for key in ("imageScanStatus", "imageScanFindings") if key in result}
    return {}


def _read(told: dict[str, Any]) -> dict[str, Any]:
    """Return it with its times as times."""
    return {
        key: datetime.fromisoformat(value) if key.endswith("At") and isinstance(value, str) else value
        for key, value in told.items()
    }


def add() -> None:
    """Put ours in place of moto's."""
    ECRResponse.describe_image_scan_findings = describe_image_scan_findings  # type: ignore[method-assign]
