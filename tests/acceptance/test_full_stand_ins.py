"""The large stand-ins do what Dockerfiles ask of the images whose place they take; each is built here, if need be."""

import io
import re
import tarfile

import pytest

from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.home import Home

pytestmark = pytest.mark.docker
HOME = Home.current()  # with the downloads of earlier runs

EXTENSION = """
cat >ext.c <<'END'
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "ext", 0, -1, methods};
PyMODINIT_FUNC PyInit_ext(void) { return PyModule_Create(&module); }
END
cat >setup.py <<'END'
from setuptools import Extension, setup
setup(name="ext", version="1", ext_modules=[Extension("ext", ["ext.c"])])
END
pip install -q --root-user-action=ignore --no-build-isolation --no-index .
"""
ADDON = """
echo '{"targets": [{"target_name": "x", "sources": ["x.cc"]}]}' >binding.gyp
cat >x.cc <<'END'
#include <node_api.h>
static napi_value init(napi_env env, napi_value exports) {
  napi_value value;
  napi_create_int32(env, 42, &value);
  napi_set_named_property(env, exports, "v", value);
  return exports;
}
NAPI_MODULE(NODE_GYP_MODULE_NAME, init)
END
node /usr/local/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js rebuild >log 2>&1 || { tail log; exit 1; }
node -p 'require("./build/Release/x.node").v'
"""
CLASS = """
cat >Hello.java <<'END'
public class Hello { public static void main(String[] args) { System.out.println("java " + (6 * 7)); } }
END
"""
STORE = "keytool -list -storepass changeit -keystore $JAVA_HOME/lib/security/cacerts | grep -c trustedCertEntry"


def run(asked: str, script: str, *, network: str = "none") -> str:
    """Return what a shell script prints in the stand-in for `asked`; it has to end well."""
    image = resolve_base(asked, home=HOME, stand_ins="always").used
    container = connect().containers.create(
        image, ["-ec", script], entrypoint=["/bin/sh"], network_mode=network, working_dir="/tmp"
    )
    try:
        container.start()
        code = container.wait()["StatusCode"]
        log = container.logs().decode()
    finally:
        container.remove(force=True, v=True)
    assert code == 0, log
    return log


@pytest.mark.parametrize(
    ("asked", "programs"),
    [
        ("buildpack-deps:bookworm", "gcc g++ make git curl wget pkg-config ssh unzip xz patch autoconf"),
        ("node:22", "node npm npx yarn python3 gcc g++ make git curl wget pkg-config"),
        ("node:22-bookworm", "node npm python3 g++ make git"),
        ("python:3.11", "python python3 pip gcc g++ make git curl wget pkg-config"),
        ("golang:1.22", "go gofmt gcc g++ make git curl pkg-config"),
        ("eclipse-temurin:17", "java javac jar jshell jlink keytool"),
        ("ghcr.io/astral-sh/uv:python3.11-bookworm", "uv uvx python gcc git"),
    ],
)
def test_a_full_image_has_the_programs_its_name_promises(asked: str, programs: str) -> None:
    assert len(run(asked, f"for one in {programs}; do command -v $one; done").split()) == len(programs.split())


@pytest.mark.parametrize(
    "library", ["libpq", "openssl", "libffi", "zlib", "sqlite3", "libxml-2.0", "libjpeg", "yaml-0.1"]
)
def test_a_full_image_has_the_headers_of_common_libraries(library: str) -> None:
    assert run("python:3.11", f"pkg-config --modversion {library}").strip()


def test_a_python_extension_is_compiled_and_copied_to_a_slim_image() -> None:
    for asked in ("python:3.11", "python:3.11-slim"):
        connect().images.get(resolve_base(asked, home=HOME, stand_ins="always").used)
    full = resolve_base("python:3.11", home=HOME, stand_ins="always").used
    slim = resolve_base("python:3.11-slim", home=HOME, stand_ins="always").used
    uv = resolve_base("ghcr.io/astral-sh/uv:latest", home=HOME, stand_ins="always").used
    packages = "/usr/local/lib/python3.11/site-packages"
    dockerfile = (
        f"FROM {full} AS builder\nWORKDIR /src\nCOPY make /src/\nRUN sh -e make\n"
        f"FROM {slim}\nCOPY --from=builder {packages} {packages}\nCOPY --from={uv} /uv /uvx /bin/\n"
        "RUN python -c 'import ext; print(\"answer\", ext.answer())' && uv venv -q /v && /v/bin/python --version\n"
    )

    image, events = connect(timeout_seconds=600).images.build(
        fileobj=_context(Dockerfile=dockerfile, make=EXTENSION), custom_context=True, nocache=True, rm=True
    )
    connect().images.remove(image.id)

    printed = "".join(str(event.get("stream", "")) for event in events if isinstance(event, dict))
    assert "answer 42" in printed
    assert "Python 3.11" in printed


def test_a_node_addon_is_compiled_without_a_network() -> None:
    assert run("node:22", ADDON).strip() == "42"


def test_a_go_module_with_cgo_is_built() -> None:
    script = (
        "mkdir m && cd m && go mod init example.test/m 2>/dev/null && cat >main.go <<'END'\n"
        'package main\n\n// int answer(void) { return 42; }\nimport "C"\nimport "fmt"\n\n'
        'func main() { fmt.Println("go", C.answer()) }\nEND\ngo run .'
    )

    assert run("golang:1.22", script).strip() == "go 42"


@pytest.mark.parametrize("asked", ["eclipse-temurin:17", "openjdk:17-jdk-slim"])
def test_java_compiles_and_trusts_certificates(asked: str) -> None:
    printed = run(asked, f"{CLASS}\njavac Hello.java && java Hello && {STORE}")

    assert printed.splitlines()[0] == "java 42"
    assert int(printed.split()[-1]) > 100


def test_a_java_runtime_runs_without_a_compiler() -> None:
    printed = run("eclipse-temurin:17-jre-alpine", f"java -version 2>&1; {STORE}; command -v javac || echo no compiler")

    assert re.search(r'openjdk version "17\.', printed)
    assert "no compiler" in printed


@pytest.mark.parametrize(
    "asked", ["debian:bookworm-slim", "python:3.11-slim", "node:22-slim", "python:3.11", "node:22"]
)
def test_apt_get_installs_what_dockerfiles_install(asked: str) -> None:
    packages = "build-essential curl git libpq-dev postgresql-client default-jre-headless redis-server"

    printed = run(
        asked,
        f"apt-get update -q && apt-get install -q -y --no-install-recommends {packages} && dpkg --audit"
        " && gcc --version && psql --version && java -version && rm -rf /var/lib/apt/lists/*"
        " && apt-get purge -q -y --auto-remove build-essential && curl --version",
        network="bridge",
    )

    assert "psql (PostgreSQL) 15" in printed


def _context(**files: str) -> io.BytesIO:
    """Return a build context with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    buffer.seek(0)
    return buffer
