#!/bin/sh
# Deliver examples/taskmanager on a local AWS: what its environments share, then staging and production, each planned and
# applied, images in ECR, the database migrated, tasks that answer. `infra/run-aws.sh destroy` takes the environments away.
# Ends 2, having changed nothing, where Terraform or its AWS provider is missing.
set -eu
cd "$(dirname "$0")/.."
headway=.venv/bin/headway
example=${EXAMPLE:-examples/taskmanager}
evidence=taskmanager-evidence

command -v terraform >/dev/null 2>&1 || {
    printf 'error: terraform is not installed\n  next: install Terraform 1.11 or newer\n' >&2
    exit 2
}
# Where a mirror of providers lies that nobody has named, as on machines without a way to the registry of Terraform.
if [ ! -f "${TF_CLI_CONFIG_FILE:-$HOME/.terraformrc}" ]; then
    for mirror in "$HOME/.terraform.d/plugins" /usr/local/share/terraform/plugins /opt/*; do
        if ls -d "$mirror"/*/hashicorp/aws/* >/dev/null 2>&1; then
            TF_CLI_CONFIG_FILE=$(mktemp)
            export TF_CLI_CONFIG_FILE
            trap 'rm -f "$TF_CLI_CONFIG_FILE"' EXIT
            printf 'provider_installation {\n  filesystem_mirror { path = "%s" }\n}\n' "$mirror" >"$TF_CLI_CONFIG_FILE"
            break
        fi
    done
fi

timed() {
    began=$(date +%s)
    what=$1
    shift
    "$@"
    printf '  %s: %s s\n' "$what" "$(($(date +%s) - began))"
}

export HEADWAY_STORE="s3://$evidence/headway" HEADWAY_REGISTRY=ecr://
if [ "${1:-run}" = destroy ]; then
    $headway destroy aws-production --project "$example" --yes
    exec $headway destroy aws-staging --project "$example" --yes
fi
# The store is in a bucket that is not there yet: until it is, the platform keeps its state in a folder.
HEADWAY_STORE='' HEADWAY_REGISTRY='' timed 'local AWS' $headway up --aws
timed 'what environments share' $headway bootstrap --project "$example" --state-bucket taskmanager-state \
    --evidence-bucket $evidence --owner team-taskmanager --force-destroy --yes
$headway down
timed 'platform' $headway up --aws
timed 'delivery' $headway run "$example" --environment aws-production
$headway plan "$example" --environment aws-production
