import logging

import pytest

from delivery.docker.images import apt_sources
from delivery.docker.images.apt_sources import (
    MIRROR,
    Source,
    image_sources,
    named_mirrors,
    prepare_apt,
    sources_text,
    usable_sources,
)
from delivery.docker.images.base_build import apt_alone
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.programs.run import run

CACHE = Home.current().cache  # the lists of earlier runs
UPDATES = "bookworm-updates"  # the smallest suite


def of_this_machine():
    """Return the sources of images, while nobody else uses the lists that all share."""
    with apt_alone(CACHE):
        return image_sources(CACHE)


@pytest.fixture(scope="module")
def archive():
    """Where this machine's own packages of Debian 12 come from."""
    lines = of_this_machine().splitlines()
    return next(line.removeprefix("URIs: ") for line in lines if line.startswith("URIs: "))


@pytest.fixture
def apt_of_its_own(tmp_path, monkeypatch):
    """Make this machine's apt sources others; returns the function that does."""

    def use(**files):
        (tmp_path / "parts").mkdir()
        for name, text in files.items():
            (tmp_path / "parts" / name.replace("_", ".")).write_text(text)
        genuine = apt_sources.apt_configuration

        def with_sources(folder, mirrors):
            made = genuine(folder, mirrors)
            places = f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{tmp_path}/parts";\n'
            return {**made, "apt.conf": made["apt.conf"] + places}

        monkeypatch.setattr(apt_sources, "apt_configuration", with_sources)
        return tmp_path / "cache"

    return use


def test_images_are_told_of_the_archive_this_machine_uses():
    text = of_this_machine()

    assert "Suites: bookworm" in text
    assert "bookworm-security" in text
    assert {line for line in text.splitlines() if line.startswith("Components")} == {"Components: main"}


def test_sources_in_both_formats_are_read_and_disabled_ones_left_out(archive, apt_of_its_own):
    cache = apt_of_its_own(
        one_list=f"# deb {archive} bookworm main\ndeb [arch=amd64,arm64] {archive} {UPDATES} main contrib\n",
        two_sources=f"Types: deb deb-src\nURIs: {archive}\nSuites: bookworm-backports\nComponents: main\n\n"
        f"Types: deb\nEnabled: no\nURIs: {archive}\nSuites: bookworm\nComponents: main\n",
        three_sources=f"Types: deb\nURIs: {archive}\nSuites: {UPDATES}\nComponents: main\n",
    )

    assert image_sources(cache) == sources_text((Source(address=archive, suite=UPDATES),))


def test_a_password_stays_out_of_images_and_that_is_warned_of(archive, apt_of_its_own, caplog):
    cache = apt_of_its_own(one_list=f"deb {archive.replace('://', '://kim:geheim@')} {UPDATES} main\n")

    text = image_sources(cache)

    assert f"URIs: {archive}\n" in text
    assert "geheim" not in text + caplog.text
    assert f"{archive} without its password" in caplog.text


def test_without_a_source_of_debian_it_is_said_what_to_set(archive, apt_of_its_own):
    cache = apt_of_its_own(one_list=f"deb {archive} bookworm-backports main\n")

    with pytest.raises(Misconfigured, match="none is Debian's own bookworm main") as caught:
        image_sources(cache)

    assert MIRROR in caught.value.next_step


def test_a_changed_source_is_seen_before_the_lists_are_old(archive, apt_of_its_own, monkeypatch):
    cache = apt_of_its_own(one_list=f"deb {archive} {UPDATES} main\n")
    prepare_apt(cache)
    updated = cache / "apt" / "updated"
    before = updated.stat().st_mtime

    prepare_apt(cache)
    assert updated.stat().st_mtime == before

    monkeypatch.setattr(apt_sources, "_own_sources_changed", lambda: before + 1)
    prepare_apt(cache)
    assert updated.stat().st_mtime > before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"origin": "Elsewhere"}, ""),
        ({"component": "contrib"}, ""),
        ({"codename": "trixie"}, ""),
        ({"address": "file:/srv/debian/"}, "no container can reach it"),
        ({"index": "/nowhere/x_dists_bookworm_main_binary-amd64_Packages"}, "Debian did not sign it"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_not_debians_own_or_out_of_reach_is_left_out(archive, changed, said, caplog):
    caplog.set_level(logging.WARNING)
    index = next((CACHE / "apt" / "lists").glob("*_dists_bookworm_main_binary-*"))
    row = {"origin": "Debian", "codename": "bookworm", "component": "main", "suite": "bookworm", "index": str(index)}
    row["address"] = archive

    assert list(usable_sources([list(row.values())])) == [Source(address=archive, suite="bookworm")]
    assert list(usable_sources([list((row | changed).values())])) == []
    assert said in caplog.text


def test_a_named_mirror_is_used_for_packages_and_images(archive, tmp_path, monkeypatch):
    security = next(
        line.removeprefix("URIs: ") for line in of_this_machine().split("\n") if "security" in line and "URI" in line
    )
    monkeypatch.setenv(MIRROR, f"{archive} {security}")
    monkeypatch.setattr(apt_sources, "SUITES", (UPDATES, "bookworm-security"))

    text = image_sources(tmp_path)

    assert text.startswith(f"Types: deb\nURIs: {archive}\nSuites: {UPDATES}\n")
    assert f"URIs: {security}\nSuites: bookworm-security\n" in text


def test_a_mirror_without_a_second_address_has_its_security_archive_beside_it(monkeypatch):
    monkeypatch.setenv(MIRROR, "http://mirror.example/debian/")

    assert named_mirrors() == ("http://mirror.example/debian", "http://mirror.example/debian-security")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("mirror.example/debian", "allowed: http://HOST/PATH of a Debian archive"),
        ("file:///srv/debian", "allowed: http://HOST/PATH"),
        ("http://a/x http://b/y http://c/z", "3 words"),
        ("http://kim:geheim@mirror.example/debian", "auth.conf.d"),
    ],
)
def test_a_mirror_that_is_none_is_refused(monkeypatch, named, said):
    monkeypatch.setenv(MIRROR, named)

    with pytest.raises(Misconfigured, match=MIRROR) as caught:
        named_mirrors()

    assert said in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "system",
    [
        {"ID": "ubuntu", "VERSION_CODENAME": "noble", "PRETTY_NAME": "Ubuntu 24.04"},
        {"ID": "debian", "VERSION_CODENAME": "trixie", "PRETTY_NAME": "Debian 13"},
    ],
    ids=lambda system: str(system["PRETTY_NAME"]),
)
def test_a_machine_without_debian_12_is_told_how_to_name_a_mirror(monkeypatch, system):
    monkeypatch.setattr(apt_sources.platform, "freedesktop_os_release", lambda: system)

    with pytest.raises(Misconfigured) as caught:
        named_mirrors()

    assert f"this machine: is {system['PRETTY_NAME']}" in str(caught.value)
    assert f"set {MIRROR} to the address of a Debian archive" in caught.value.next_step


def test_packages_come_from_a_state_of_its_own(tmp_path):
    with apt_alone(CACHE):
        configuration = prepare_apt(CACHE)

    said = run(["apt-config", "dump"], timeout_seconds=30, env={"APT_CONFIG": str(configuration)}).stdout

    assert 'Dir::State::status "/dev/null";' in said
    assert f'Dir::State::lists "{CACHE}/apt/lists";' in said
