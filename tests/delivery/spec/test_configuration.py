"""A mistake in headway.yaml is told with its place, what was found, what is allowed and what to do next."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from delivery.errors import Misconfigured
from delivery.spec.app import App
from delivery.spec.configuration import (
    app_name,
    check_files,
    configuration_hash,
    load_app,
    load_app_text,
    load_project,
)
from delivery.spec.parts import memory_bytes
from delivery.spec.schema import app_schema

HEAD = """\
app: shop
images: {web: {}, api: {}}
services:
  web: {port: 8000, routes: [/]}
  api: {port: 3000, routes: [/api]}
"""
WHOLE = HEAD + "environments: {staging: {}, production: {after: staging}}\n"


def complaint(text: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        load_app_text(text)
    return str(caught.value)


def with_service(fields: str) -> str:
    services = f"services: {{web: {{port: 80, {fields}}}}}"
    return f"app: shop\nimages: {{web: {{}}}}\n{services}\nenvironments: {{production: {{}}}}\n"


def with_environment(fields: str) -> str:
    return f"{HEAD}environments: {{production: {{{fields}}}}}\n"


def test_a_message_says_place_found_allowed_and_next_step() -> None:
    said = complaint(with_environment("watch: {max_error_percent: 250}"))
    assert said.splitlines() == [
        "headway.yaml: environments.production.watch.max_error_percent: found 250; allowed: less than or equal to 100",
        "  next: every key is explained in docs/headway-yaml.md; `headway schema` prints the schema for editors",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE + "service: {}", "service: there is no such key; did you mean services? allowed: app, images, services"),
        (with_service("healht: /"), "services.web.healht: there is no such key; did you mean health? allowed: image,"),
        (with_environment("target: {prot: 1}"), "production.target.prot: there is no such key; did you mean port?"),
        (WHOLE + "database: {nam: shop}", "database.nam: there is no such key; did you mean name? allowed: kind, e"),
        (with_environment("target: {kind: memory, port: 1}"), "target.port: there is no such key; allowed: kind"),
        (with_environment("shift: {canary: {percnt: 1}}"), "shift.canary.percnt: there is no such key; did you mean p"),
        (with_service("port_: 1, zzz: 1"), "services.web.zzz: there is no such key; allowed: image, command, port"),
    ],
)
def test_an_unknown_key_is_told_with_the_one_that_was_meant(text: str, said: str) -> None:
    assert said in complaint(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (with_service("instances: many"), "services.web.instances: found 'many'; allowed: a whole number"),
        (with_service("command: run it"), "services.web.command: found 'run it'; allowed: a list"),
        (with_service("env: {PORT: 80}"), "services.web.env.PORT: found 80; allowed: text, which a number or true bec"),
        (with_service("env: {on: x}"), "services.web.env: the key True is not text; write it in quotes"),
        (with_service("health: healthz"), "services.web.health: found 'healthz'; allowed: a path that begins with /"),
        (with_service("health: '/a#b'"), "services.web.health: found '/a#b'; allowed: a path that begins with /"),
        (with_environment("prove_backup: perhaps"), "production.prove_backup: found 'perhaps'; allowed: true or false"),
        (with_environment("watch: 10"), "environments.production.watch: found 10; allowed: keys with values"),
        (with_environment("target: {kind: eks}"), "production.target.kind: found eks; allowed: docker, ecs, memory"),
        (with_environment("target: {port: 70000}"), "target.port: found 70000; allowed: less than or equal to 65535"),
        (with_environment("target: {port: 0}"), "target.port: found 0; allowed: greater than or equal to 1"),
        (with_environment("busy: wait"), "production.busy: found 'wait'; allowed: queue, supersede or reject"),
        (with_environment("watch: {seconds: .inf}"), "watch.seconds: found inf; allowed: less than or equal to 86400"),
        (HEAD + "environments: {}", "environments: is empty; allowed: at least 1"),
        (HEAD + "environments: {1: {}}", "environments: the key 1 is not text; write it in quotes"),
        (HEAD + "environments: {Prod: {}}", "environments.Prod: found 'Prod'; allowed: lower-case letters, digits"),
        (HEAD, "environments: is missing"),
        (WHOLE + "database: {name: My-App}", "database.name: found 'My-App'; allowed: lower-case letters, digits, un"),
        (WHOLE + "database: {kind: rds}", "database.kind: found rds; allowed: container"),
        (WHOLE + "database: {kind: }", "database.kind: found None; allowed: container"),
        (WHOLE + "database: {engine: mysql}", "database.engine: found 'mysql'; allowed: postgres"),
        (WHOLE + "database: on", "database: found True; allowed: keys with values: kind, engine, image, name, exte"),
        (WHOLE + "database: {migrate: {}}", "database.migrate.image: is missing"),
        (WHOLE + "scan: {block: [high]}", "scan.block[0]: found 'high'; allowed: UNKNOWN, LOW, MEDIUM, HIGH or CRIT"),
        (WHOLE + "1: 2", "headway.yaml: the key 1 is not text; write it in quotes"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(text: str, said: str) -> None:
    assert said in complaint(text)


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        (
            "{image: web, tool: nose}",
            "suites.unit.tool: found 'nose'; allowed: command, jest, vitest, node, py",
        ),
        ("{}", "suites.unit: needs exactly one of image, build, compose (found none of them)"),
        ("{image: web, build: {}}", "suites.unit: needs exactly one of image, build, compose (found image and build)"),
        ("{compose: c.yaml}", "suites.unit: compose needs compose_service: the service whose exit code counts"),
        ("{image: web, axes: {node: []}}", "axes.node: needs at least one value, and none twice (found [])"),
        ("{image: web, axes: {node: ['22', '22']}}", "axes.node: needs at least one value, and none twice"),
        ("{image: web, axes: {node: [22]}}", "suites.unit.axes.node[0]: found 22; allowed: text, which a number"),
        ("{image: web, shards: 0}", "suites.unit.shards: found 0; allowed: greater than or equal to 1"),
        ("{image: web, services: [wbe]}", "suites.unit.services: no such name (found wbe); allowed: web, api"),
        ("{image: web, database: true}", "suites.unit.database: there is no `database` in the file"),
    ],
)
def test_a_wrong_suite_is_told(suite: str, said: str) -> None:
    assert said in complaint(f"{WHOLE}suites: {{unit: {suite}}}\n")


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("Canary10", "shift: unknown shift plan (found Canary10); allowed: AllAtOnce, Canary10Percent5Minutes, Canary"),
        ("ECSCanary10Percent6Minutes", "(found ECSCanary10Percent6Minutes); did you mean Canary10Percent5Minutes? all"),
        ("10", "shift: unknown shift plan (found 10); allowed: AllAtOnce"),
        ("{}", "shift: needs exactly one of canary, linear, steps (found none of them)"),
        ("{canary: {percent: 5}, linear: {percent: 5}}", "exactly one of canary, linear, steps (found canary, linear)"),
        ("{canary: {percent: 0}}", "shift.canary.percent: found 0; allowed: greater than or equal to 1"),
        ("{linear: 10}", "shift.linear: found 10; allowed: keys with values"),
        ("{steps: []}", "shift.steps: is empty; allowed: at least 1"),
        ("{steps: [{percent: 10}]}", "shift: the last step must be 100 percent (found 10)"),
        ("{steps: [{percent: 50}, {percent: 9}, {percent: 100}]}", "weights must rise from step to step (found [50, 9"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_told(plan: str, said: str) -> None:
    assert said in complaint(with_environment(f"shift: {plan}"))


def test_a_step_beyond_100_percent_is_one_mistake() -> None:
    said = complaint(with_environment("shift: {steps: [{percent: 150}]}"))
    assert "shift.steps[0].percent: found 150; allowed: less than or equal to 100" in said.splitlines()[0]
    assert "mistakes" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "headway.yaml: is empty; allowed: a file that starts with app:\n  next: headway init"),
        ("# nothing yet", "headway.yaml: is empty"),
        ("- app", "headway.yaml: is not keys with values (found ['app'])"),
        ("app: [", "headway.yaml: is not YAML: line 1: "),
        ("app:\n\tweb: x", "headway.yaml: is not YAML: line 2: found character '\\t' that cannot start any token"),
        ("app: a\x00", "headway.yaml: is not YAML: "),
        ("app: !!python/name:os.system", "is not YAML: line 1: could not determine a constructor for the tag"),
        ("app: shop\n---\napp: shop", "is not YAML: line 2: but found another document"),
        ("app: a\n? [x]\n: b", "is not YAML: line 2: a key must be text"),
        ("app: a\n? {x: y}\n: b", "is not YAML: line 2: a key must be text"),
        ("app: a\nborn: 2030-02-31", "is not YAML: line 2: '2030-02-31' cannot be read: 'day is out of range"),
        ("app: a\nport: " + "9" * 5000, "is not YAML: line 2: '9999"),
        ("app: " + "[" * 2000, "headway.yaml: is nested too deeply to be read"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_with_its_line(text: str, said: str) -> None:
    assert said in complaint(text)


def test_a_key_given_twice_is_told_with_both_lines() -> None:
    text = "app: shop\nimages:\n  web: {}\n  api: {}\n  web: {context: x}\n"
    assert "line 5: web is given twice, first in line 3" in complaint(text)


def test_what_is_merged_in_may_be_overridden() -> None:
    text = WHOLE.replace("{web: {}, api: {}}", "{web: &it {context: web, target: run}, api: {<<: *it, context: api}}")
    api = load_app_text(text).images["api"]
    assert (api.context, api.target) == ("api", "run")


def test_every_mistake_is_told_at_once() -> None:
    said = complaint("app: Shop\nimagess: {}\nservices: {web: {port: 99999}}\nenvironments: {production: {shift: X}}\n")
    starts = [line.strip().partition(" ")[0] for line in said.splitlines()[1:-1]]
    assert said.startswith("headway.yaml: 5 mistakes\n")
    assert starts == ["app:", "images:", "services.web.port:", "environments.production.shift:", "imagess:"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (with_environment("target: nope"), "target: found 'nope'; allowed: keys with values: kind, host, port, bind"),
        (HEAD + "environments: {production: nope}", "production: found 'nope'; allowed: keys with values: target, inf"),
        (
            WHOLE + "backing: nope",
            "backing: found 'nope'; allowed: keys with values: names of your own, each with image",
        ),
        (
            WHOLE + "database: {migrate: nope}",
            "database.migrate: found 'nope'; allowed: keys with values: tool, image, command",
        ),
        (WHOLE + "scan: {waivers: [CVE-1]}", "scan.waivers[0]: found 'CVE-1'; allowed: keys with values: id, package"),
        (with_environment("shift: {linear: 10}"), "shift.linear: found 10; allowed: keys with values: percent, hold_s"),
        (
            with_environment("checks: [{at: after, http: /}]"),
            "checks[0].http: found '/'; allowed: keys with values: path",
        ),
    ],
)
def test_a_value_where_keys_belong_is_told_with_those_keys(text: str, said: str) -> None:
    assert said in complaint(text)


def test_what_the_parts_say_of_each_other_is_told_beside_a_wrong_value() -> None:
    said = complaint(WHOLE.replace("{after: staging}", "{after: stagin, busy: sometimes}"))
    assert "environments.production.busy: found 'sometimes'" in said
    assert "environments.production.after: no such name (found stagin); allowed: staging" in said


def test_what_only_follows_from_a_mistake_is_not_told() -> None:
    misspelt = complaint(HEAD.replace("web: {port: 8000", "web: {prt: 8000") + "environments: {production: {}}\n")
    misplaced = complaint(HEAD.replace("{web: {}, api: {}}", "{web: {}, api: 3}") + "environments: {production: {}}\n")
    assert misspelt.startswith("headway.yaml: services.web.prt: there is no such key; did you mean port?")
    assert misplaced.startswith("headway.yaml: images.api: found 3; allowed: keys with values: context")


def test_a_missing_file_is_told_beside_a_wrong_value(tmp_path: Path) -> None:
    (tmp_path / "headway.yaml").write_text(with_environment("busy: sometimes"))
    with pytest.raises(Misconfigured) as caught:
        load_project(tmp_path)
    assert "headway.yaml: 3 mistakes\n  environments.production.busy: found 'sometimes'" in str(caught.value)
    assert "images.web.dockerfile: there is no file Dockerfile" in str(caught.value)


@pytest.mark.parametrize("place", ["x-top: {a: 1}", "scan: {x-note: mine}", "suites: {unit: {image: web, x-a: [1]}}"])
def test_keys_that_begin_with_x_are_the_users_own(place: str) -> None:
    app = load_app_text(f"{WHOLE}{place}\n")
    assert configuration_hash(app, "production") == configuration_hash(load_app_text(WHOLE), "production")
    Draft202012Validator(app_schema()).validate(yaml.safe_load(f"{WHOLE}{place}\n"))


def test_a_name_or_a_variable_may_begin_with_x() -> None:
    app = load_app_text(with_service("env: {x-trace: 'on'}").replace("web", "x-web"))
    assert list(app.services) == list(app.images) == ["x-web"]
    assert app.services["x-web"].env == {"x-trace": "on"}


def test_the_name_of_an_application_is_told_whatever_else_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "headway.yaml"
    file.write_text("app: shop\nimages: 3\n")
    assert app_name(file) == "shop"
    file.write_text("images: {}\n")
    with pytest.raises(Misconfigured, match="does not tell the application's name"):
        app_name(file)


def test_a_file_that_is_not_there_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"there is no such file\n  next: headway init"):
        load_app(tmp_path / "headway.yaml")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"app: caf\xe9"])
def test_a_file_that_is_no_text_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "headway.yaml").write_bytes(content)
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_app(tmp_path / "headway.yaml")


FILES = """\
app: shop
images: {web: {context: web}}
database: {migrate: {image: web, files: migrations}}
suites: {all: {compose: compose.yaml, compose_service: tests}, unit: {build: {context: web, dockerfile: Test}}}
environments: {production: {}}
"""


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("memory: 1m", "memory: found 1m; allowed: at least 6m"),
        ("memory: 512", "memory: found 512; allowed: text, which a number or true becomes in quotes"),
        ("memory: 512MB", "memory: found '512MB'; allowed: a whole number with b, k, m or g, like 512m"),
        ("cpus: 0", "cpus: found 0; allowed: greater than 0"),
        (
            "volumes: {all: /}",
            "volumes.all: found '/'; allowed: the path of a folder in the container, like /app/uploads",
        ),
        ("volumes: {all: /a/../b}", "volumes.all: found '/a/../b'; allowed: the path of a folder in the container"),
        ("volumes: [/a]", "volumes: found ['/a']; allowed: keys with values"),
        ("secrets: [1]", "secrets: found [1]; allowed: keys with values"),
        ("env_file: []", "env_file: is empty; allowed: at least 1"),
    ],
)
def test_a_wrong_limit_volume_or_secret_is_told_with_what_is_allowed(key: str, told: str) -> None:
    assert f"services.web.{told}" in complaint(with_service(key))


@pytest.mark.parametrize(("text", "size"), [("8388608", 2**23), ("64k", None), ("64m", 2**26), ("2G", 2**31)])
def test_memory_is_given_in_the_engines_units(text: str, size: int | None) -> None:
    assert memory_bytes(text) == (size or 2**16)


def test_a_name_that_ends_with_a_dash_is_refused_before_a_registry_does() -> None:
    assert (
        "app: found 'shop-'; allowed: lower-case letters, digits, dashes, beginning with a letter, ending"
        in complaint(WHOLE.replace("app: shop", "app: shop-"))
    )


def test_every_missing_file_is_told_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        check_files(load_app_text(FILES), tmp_path)
    assert str(caught.value).splitlines() == [
        "headway.yaml: 6 mistakes",
        "  images.web.context: there is no folder web",
        "  images.web.dockerfile: there is no file web/Dockerfile",
        "  suites.unit.build.context: there is no folder web",
        "  suites.unit.build.dockerfile: there is no file web/Test",
        "  suites.all.compose: there is no file compose.yaml",
        "  database.migrate.files: there is no folder migrations",
        "  next: correct the path, which is relative to headway.yaml, or commit the file",
    ]


def test_each_of_several_folders_of_migrations_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    for file in ("web/Dockerfile", "web/Test", "compose.yaml"):
        (tmp_path / file).touch()
    app = load_app_text(FILES.replace("files: migrations", "files: [web, orders/migrations, ../users]"))
    with pytest.raises(Misconfigured) as caught:
        check_files(app, tmp_path)
    assert str(caught.value).splitlines()[:3] == [
        "headway.yaml: 2 mistakes",
        "  database.migrate.files[1]: there is no folder orders/migrations",
        "  database.migrate.files[2]: ../users is outside the folder of headway.yaml",
    ]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ("3", "database.migrate.files: found 3; allowed: text"),
        ("[]", "database.migrate.files: is empty; allowed: at least 1"),
        ("[a, 1]", "database.migrate.files[1]: found 1; allowed: text"),
        ("{a: b}", "database.migrate.files: found keys with values; allowed: text"),
    ],
)
def test_what_is_no_folder_nor_a_list_of_folders_is_told_by_its_key(files: str, told: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_app_text(FILES.replace("files: migrations", f"files: {files}"))
    assert str(caught.value).splitlines()[0].startswith(f"headway.yaml: {told}")


@pytest.mark.parametrize("target", ["../shared", "/etc"])
def test_a_link_out_of_the_folder_is_told_before_it_leads_nowhere_in_a_checkout(tmp_path: Path, target: str) -> None:
    (tmp_path / "shared").mkdir()
    folder = tmp_path / "shop"
    (folder / "web").mkdir(parents=True)
    for file in ("web/Dockerfile", "compose.yaml"):
        (folder / file).touch()
    (folder / "web" / "Test").symlink_to("Dockerfile")
    (folder / "migrations").symlink_to(target)
    with pytest.raises(Misconfigured, match=r"database\.migrate\.files: migrations is a link out of the folder"):
        check_files(load_app_text(FILES), folder)


def test_files_that_are_there_pass(tmp_path: Path) -> None:
    for folder in ("web", "migrations"):
        (tmp_path / folder).mkdir()
    for file in ("web/Dockerfile", "web/Test", "compose.yaml"):
        (tmp_path / file).touch()
    check_files(load_app_text(FILES), tmp_path)


COMPOSE = (
    "app: shop\nimages: {web: {}}\nenvironments: {live: {}}\nsuites: {all: {compose: c.yaml, compose_service: tests}}"
)


@pytest.mark.parametrize(
    "text",
    [
        "services: {tests: {image: x}}",
        "services: {api: {image: x}}\ninclude: [other.yaml]",
        "services: {api: {image: x}, tests: !reset {image: x}}",
        "",
        "services: [what Compose says of it]",
        "services: {a: {}, \ttests: {}}",
        "a: 2023-02-31",
    ],
)
def test_a_compose_file_with_the_service_or_only_compose_can_tell(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    (tmp_path / "Dockerfile").touch()
    check_files(load_app_text(COMPOSE), tmp_path)


def test_a_compose_service_that_is_not_in_the_file_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("services: {api: {image: x}, db: !override {image: y}}")
    (tmp_path / "Dockerfile").touch()
    with pytest.raises(Misconfigured) as caught:
        check_files(load_app_text(COMPOSE), tmp_path)
    assert str(caught.value) == (
        "headway.yaml: suites.all.compose_service: there is no service tests in c.yaml; allowed: api, db\n"
        "  next: correct the path, which is relative to headway.yaml, or commit the file"
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("..", "images.web.context: .. is outside the folder of headway.yaml"),
        ("web/../../other", "is outside the folder of headway.yaml"),
        ("/", "images.web.context: / is outside the folder of headway.yaml"),
        ("a" * 5000, "there is no folder aaa"),
        ("a\x00b", "there is no folder a\x00b"),
    ],
)
def test_a_path_that_cannot_be_in_the_commit_is_told(tmp_path: Path, path: str, said: str) -> None:
    app = App.model_validate({"app": "shop", "images": {"web": {"context": path}}, "environments": {"production": {}}})
    with pytest.raises(Misconfigured, match="next: correct the path") as caught:
        check_files(app, tmp_path)
    assert said in str(caught.value)


def test_what_runs_is_part_of_a_release_and_how_it_is_tested_is_not() -> None:
    before = configuration_hash(load_app_text(WHOLE), "production")
    tested = WHOLE + "suites: {unit: {image: web}}\nscan: {block: []}\n"
    changed = WHOLE.replace("port: 3000", "port: 3001")
    assert configuration_hash(load_app_text(tested), "production") == before
    assert configuration_hash(load_app_text(changed), "production") != before
