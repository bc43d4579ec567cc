"""What a commit's Compose file may not ask of the machine: an allow-list of keys, and paths of the checkout alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Of https://docs.docker.com/reference/compose-file/services/: what stays within the container.
_SERVICE = _words("""
    annotations attach build cap_drop command configs container_name cpu_count cpu_percent cpu_period
    cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset depends_on deploy develop dns dns_opt
    dns_search domainname entrypoint env_file environment expose external_links extra_hosts group_add
    healthcheck hostname image init labels label_file links logging mac_address mem_limit mem_reservation
    mem_swappiness memswap_limit network_mode networks oom_kill_disable pids_limit platform ports profiles
    pull_policy pull_refresh_after read_only restart scale secrets shm_size stdin_open stop_grace_period
    stop_signal storage_opt sysctls tmpfs tty ulimits user volumes working_dir
""")
_BUILD = _words("""
    additional_contexts args cache_from cache_to context dockerfile dockerfile_inline extra_hosts isolation
    labels network no_cache platforms provenance pull sbom secrets shm_size tags target ulimits
""")
# Values that give nothing away, of keys that otherwise do.
_HARMLESS: Mapping[str, tuple[object, ...]] = {
    "privileged": (False,),
    "ipc": ("private", "shareable", "none"),
    "cgroup": ("private",),
    "security_opt": (["no-new-privileges:true"], ["no-new-privileges"]),
    "devices": ([],),
    "cap_add": ([],),
    "gpus": ([],),
    "use_api_socket": (False,),
}
_NETWORK_DRIVERS = (None, "", "default", "bridge")
# What the program needs of this process's environment; no other variable is there to fill a placeholder.
_KEPT = _words("""
    PATH HOME TMPDIR LANG LC_ALL XDG_RUNTIME_DIR SSH_AUTH_SOCK
    DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_CERT_PATH DOCKER_TLS_VERIFY
""")


def clean(environ: Mapping[str, str]) -> dict[str, None]:
    """Return, as `run` takes them, the variables of this process that a commit's file must not read."""
    return {name: None for name in environ if name not in _KEPT}


def outside_files(file: Path, source: Path) -> Iterator[str]:
    """Yield what a file, as it is written, would have Compose read that is no file of the checkout.

    Asked before Compose reads anything: `include`, `extends`, `env_file` and `label_file`, in all files they lead to,
    and the `.env` beside them. A file that is no YAML is left to Compose.
    """
    ahead, seen = [file], set[Path]()
    while ahead:
        one = ahead.pop()
        if one in seen:
            continue
        seen.add(one)
        named = [("file", one.name, True), ("env file beside it", ".env", False)]
        for key, text, is_compose in [*named, *_named_files(one, source)]:
            path = one.parent / text
            if "$" in text or "://" in text or not _is_inside(path, source):
                yield f"{_shown(one, source)}: {key}: {text}, which is no file of the repository"
            elif is_compose and path.is_file():
                ahead.append(path)


def refusals(document: Document, source: Path) -> Iterator[str]:
    """Yield what in a resolved document reaches out of its containers, as `service NAME: KEY: VALUE`."""
    for name, service in (document.get("services") or {}).items():
        yield from (f"service {name}: {found}" for found in _of_service(service, source))
    for name, volume in (document.get("volumes") or {}).items():
        options = (volume or {}).get("driver_opts") or {}
        if (volume or {}).get("driver") not in (None, "", "local") or (options and options.get("type") != "tmpfs"):
            yield f"volume {name}: driver_opts: {(volume or {}).get('driver', 'local')} {options}"
    for name, network in (document.get("networks") or {}).items():
        if (network or {}).get("driver") not in _NETWORK_DRIVERS:
            yield f"network {name}: driver: {network['driver']}"
    for kind in ("configs", "secrets"):
        for name, one in (document.get(kind) or {}).items():
            path = (one or {}).get("file")
            if path and not _is_inside(Path(path), source):
                yield f"{kind}.{name}: file: {path}, which is outside of the repository"


def _of_service(service: Document, source: Path) -> Iterator[str]:
    for key, value in service.items():
        if key in _SERVICE or key.startswith("x-") or value is None or value in _HARMLESS.get(key, ()):
            continue
        if key in ("post_start", "pre_stop") and not any(hook.get("privileged") for hook in value):
            continue
        if key in ("pid", "ipc") and str(value).startswith("service:"):
            continue
        yield f"{key}: {value}"
    mode = str(service.get("network_mode") or "")
    if mode == "host" or mode.startswith("container:"):
        yield f"network_mode: {mode}"
    for mount in service.get("volumes") or ():
        if mount.get("type") not in ("volume", "tmpfs", "image", "bind"):
            yield f"volumes: {mount.get('type')} {mount.get('source', '')}"
        elif mount.get("type") == "bind" and not _is_inside(Path(mount["source"]), source):
            yield f"volumes: {mount['source']}, which is outside of the repository"
    reserved = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    if reserved.get("devices"):
        yield f"deploy.resources.reservations.devices: {reserved['devices']}"
    if service.get("build"):
        yield from (f"build.{found}" for found in _of_build(service["build"], source))


def _of_build(build: Document, source: Path) -> Iterator[str]:
    yield from (f"{key}: {value}" for key, value in build.items() if value and key not in _BUILD)
    context = Path(build.get("context", "."))
    if not _is_inside(context, source):
        yield f"context: {context}, which is outside of the repository"
    elif not build.get("dockerfile_inline") and not _is_inside(context / build.get("dockerfile", "Dockerfile"), source):
        yield f"dockerfile: {build['dockerfile']}, which is outside of the repository"
    if build.get("network") not in (None, "", "default", "none"):
        yield f"network: {build['network']}"
    for name, place in (build.get("additional_contexts") or {}).items():
        if not place.startswith(("service:", "docker-image://")) and not _is_inside(Path(place), source):
            yield f"additional_contexts.{name}: {place}, which is outside of the repository"


def _named_files(file: Path, source: Path) -> list[tuple[str, str, bool]]:
    """Return key, path and whether it is a Compose file itself, for every file that one names."""
    if not _is_inside(file, source):
        return []
    try:
        read = yaml.load(file.read_text(), _Loader)  # noqa: S506  # a safe loader that takes Compose's own tags
    except (OSError, ValueError, yaml.YAMLError):
        return []
    read = read if isinstance(read, dict) else {}
    found = list[tuple[str, Any, bool]]()
    for one in _listed(read.get("include")):
        entry = one if isinstance(one, dict) else {"path": one}
        found += [("include", path, True) for path in _listed(entry.get("path"))]
        found += [("include.env_file", path, False) for path in _listed(entry.get("env_file"))]
        found += [("include.project_directory", path, False) for path in _listed(entry.get("project_directory"))]
    services = read.get("services")
    for name, service in (services if isinstance(services, dict) else {}).items():
        if not isinstance(service, dict):
            continue
        if isinstance(extends := service.get("extends"), dict):
            found += [(f"services.{name}.extends.file", path, True) for path in _listed(extends.get("file"))]
        for key in ("env_file", "label_file"):
            paths = [one.get("path") if isinstance(one, dict) else one for one in _listed(service.get(key))]
            found += [(f"services.{name}.{key}", path, False) for path in paths]
    return [(key, path, is_compose) for key, path, is_compose in found if isinstance(path, str)]


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_inside(path: Path, source: Path) -> bool:
    """Whether a path, with every link followed, lies in the checkout."""
    return "://" not in str(path) and path.resolve().is_relative_to(source.resolve())


def _shown(file: Path, source: Path) -> str:
    return str(file.relative_to(source)) if file.is_relative_to(source) else str(file)


class _Loader(yaml.SafeLoader):
    """YAML with Compose's tags, as `!reset` and `!override`: what stands under one counts as if it were not there."""


def _untagged(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _untagged)
