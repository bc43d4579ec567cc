"""What a hostile commit's Compose file asks of the machine is refused, by name."""

import pytest

from delivery.programs.compose_limits import clean, outside_files, refusals

PLAIN = {"image": "busybox:1.36"}


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key").write_text("STOLEN=1")
    (tmp_path / "source" / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    return tmp_path / "source"


def told(source, service, **rest):
    return list(refusals({"services": {"web": {**PLAIN, **service}}, **rest}, source))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("privileged", True),
        ("pid", "host"),
        ("ipc", "host"),
        ("network_mode", "host"),
        ("network_mode", "container:other"),
        ("userns_mode", "host"),
        ("uts", "host"),
        ("cgroup", "host"),
        ("cgroup_parent", "/"),
        ("devices", [{"source": "/dev/sda", "target": "/dev/sda"}]),
        ("device_cgroup_rules", ["a *:* rwm"]),
        ("gpus", [{"count": 1}]),
        ("cap_add", ["SYS_ADMIN"]),
        ("security_opt", ["seccomp:unconfined"]),
        ("runtime", "other"),
        ("use_api_socket", True),
        ("provider", {"type": "/bin/sh"}),
        ("volumes_from", ["container:other"]),
        ("post_start", [{"command": "id", "privileged": True}]),
        ("a_key_of_next_year", "1"),
    ],
)
def test_a_service_that_reaches_for_the_machine_is_refused_by_its_key(source, key, value):
    assert told(source, {key: value})[0].startswith(f"service web: {key}: ")


@pytest.mark.parametrize("path", ["/", "/var/run/docker.sock", "{}/../outside", "{}/link", "{}/link/key"])
def test_a_mount_from_outside_is_refused_also_through_a_link(source, path):
    mount = {"type": "bind", "source": path.format(source), "target": "/x"}

    assert told(source, {"volumes": [mount]}) == [
        f"service web: volumes: {mount['source']}, which is outside of the repository"
    ]


@pytest.mark.parametrize(
    "build",
    [
        {"context": "{}/link"},
        {"context": "https://git.example/x.git"},
        {"context": "{}", "dockerfile": "link/key"},
        {"context": "{}", "additional_contexts": {"root": "/"}},
        {"context": "{}", "network": "host"},
        {"context": "{}", "privileged": True},
        {"context": "{}", "ssh": ["default"]},
        {"context": "{}", "entitlements": ["security.insecure"]},
    ],
)
def test_a_build_that_reads_elsewhere_is_refused(source, build):
    build = {key: value.format(source) if isinstance(value, str) else value for key, value in build.items()}

    assert [line.startswith("service web: build.") for line in told(source, {"build": build})] == [True]


def test_volumes_networks_configs_and_secrets_of_the_machine_are_refused(source):
    bound = {"driver_opts": {"type": "none", "o": "bind", "device": "/"}}
    found = told(
        source,
        {},
        volumes={"root": bound, "plain": {}, "quick": {"driver_opts": {"type": "tmpfs", "device": "tmpfs"}}},
        networks={"near": {"driver": "macvlan"}, "default": {}},
        configs={"key": {"file": str(source / "link" / "key")}},
        secrets={"own": {"file": str(source / "own.txt")}},
    )

    assert [line.partition(": ")[0] for line in found] == ["volume root", "network near", "configs.key"]


def test_what_stays_within_its_containers_is_taken(source):
    service = {
        "privileged": False,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pid": "service:db",
        "network_mode": "service:db",
        "volumes": [
            {"type": "bind", "source": str(source / "conf"), "target": "/conf"},
            {"type": "volume", "source": "data", "target": "/data"},
        ],
        "build": {"context": str(source), "dockerfile": "Dockerfile", "target": "test"},
        "healthcheck": {"test": ["CMD", "true"]},
        "x-team": "shop",
    }

    assert told(source, service) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("include: [../outside/compose.yaml]", "compose.yaml: include: ../outside/compose.yaml"),
        ("include: ['https://git.example/x.git']", "include: https://git.example/x.git"),
        ("services: {web: {extends: {file: link/key, service: web}}}", "services.web.extends.file: link/key"),
        ("services: {web: {env_file: /proc/self/environ}}", "services.web.env_file: /proc/self/environ"),
        ("services: {web: {env_file: [{path: link/key}]}}", "services.web.env_file: link/key"),
        ("services: {web: {env_file: '${HOME}/.netrc'}}", "services.web.env_file: ${HOME}/.netrc"),
        ("services: {web: !override {env_file: link/key}}", "services.web.env_file: link/key"),
        ("include: [other.yaml]", "other.yaml: services.web.env_file: ../outside/key"),
    ],
)
def test_files_from_outside_are_refused_before_compose_reads_them(source, text, said):
    (source / "compose.yaml").write_text(text)
    (source / "other.yaml").write_text("services: {web: {env_file: ../outside/key}}")

    found = list(outside_files(source / "compose.yaml", source))

    assert len(found) == 1
    assert f"{said}, which is no file of the repository" in found[0]


def test_variables_beside_the_file_may_not_lie_elsewhere(source):
    (source / "compose.yaml").write_text("services: {web: {env_file: .env}}")
    assert list(outside_files(source / "compose.yaml", source)) == []

    (source / ".env").symlink_to(source.parent / "outside" / "key")

    assert "compose.yaml: env file beside it: .env, which is" in next(outside_files(source / "compose.yaml", source))


def test_no_variable_of_the_worker_is_left_but_what_the_program_needs():
    assert clean({"PATH": "/bin", "DOCKER_HOST": "tcp://x", "PREFECT_API_AUTH_STRING": "k", "AWS_SECRET": "s"}) == {
        "PREFECT_API_AUTH_STRING": None,
        "AWS_SECRET": None,
    }
