"""What holds for what a platform finds, removes and publishes, wherever its things are.

A subclass brings `services`, of a platform on which nothing was done yet, and the things themselves:
`run_made(run, …)` makes one of a run and returns its name, `environment_has(app, environment)` one of an environment.
"""

import pytest
from pydantic import SecretStr

from delivery.spec.matrix import expand
from tests.delivery.values import make_release

TOKEN = "n0-0ne-may-read-th1s"


class OrphansContract:
    def test_what_a_living_run_made_stays_and_that_of_a_dead_one_goes(self, services, run_made):
        living, dead = run_made("lives"), run_made("died")

        found = services.orphans.find({"lives"})
        assert [(one.name, one.run, one.why) for one in found] == [(dead, "died", "run died does not live")]
        assert {one.name for one in services.orphans.find(set())} == {living, dead}

        assert services.orphans.sweep({"lives"}) == found

        assert services.orphans.find({"lives"}) == services.orphans.sweep({"lives"}) == []
        assert [one.name for one in services.orphans.find(set())] == [living]

    def test_what_was_made_just_now_is_spared_for_its_run_may_have_begun_since(self, services, run_made):
        run_made("begins", is_new=True)

        assert services.orphans.find(set()) == services.orphans.sweep(set()) == []

    def test_what_is_past_its_expiry_goes_whoever_lives(self, services, run_made):
        run_made("lives")
        expired = run_made("lives", expired=True)

        assert [one.name for one in services.orphans.sweep()] == [expired]
        assert services.orphans.find({"lives"}) == []

    def test_the_things_of_one_run_are_removed_and_no_others(self, services, run_made):
        run_made("one"), run_made("one", is_new=True)
        other = run_made("other")

        for _ in range(2):
            services.orphans.remove_run("one")

        assert [one.name for one in services.orphans.find(set())] == [other]

    def test_what_belongs_to_an_environment_is_never_touched(self, services, run_made, environment_has):
        environment_has("shop", "production")
        before = services.inventory.belongings("shop", "production")
        run_made("died")

        removed = services.orphans.sweep(set())
        services.orphans.remove_run("")

        assert len(removed) == 1
        assert services.inventory.belongings("shop", "production") == before != ()


class InventoryContract:
    def test_the_environments_of_an_application_are_found_by_what_they_have(self, services, environment_has):
        for app, environment in (("shop", "production"), ("shop", "staging"), ("shoppe", "trial")):
            environment_has(app, environment)

        assert services.inventory.environments("shop") == {"production", "staging"}
        assert services.inventory.environments("shoppe") == {"trial"}
        assert services.inventory.environments("stranger") == set()
        assert services.inventory.belongings("stranger", "production") == ()

    def test_an_environment_is_removed_and_every_other_stays(self, services, environment_has):
        for app, environment in (("shop", "production"), ("shop", "staging"), ("shoppe", "production")):
            environment_has(app, environment)
        others = [("shop", "staging"), ("shoppe", "production")]
        before = [services.inventory.belongings(*one) for one in others]

        for _ in range(2):
            services.inventory.remove("shop", "production")

        assert services.inventory.belongings("shop", "production") == ()
        assert services.inventory.environments("shop") == {"staging"}
        assert [services.inventory.belongings(*one) for one in others] == before
        assert all(before)


class PublishContract:
    def test_a_release_published_again_is_the_one_that_is_there(self, services):
        release = make_release(1)
        later = release.model_copy(update={"created": release.created.replace(hour=13)})
        assert later.fingerprint == release.fingerprint

        first, again = (services.builder.publish(one, "run-1") for one in (release, later))
        another = services.builder.publish(make_release(2), "run-1")

        assert first == again != another
        assert first.repository == "shop/release"

    def test_the_repositories_of_an_application_go_and_those_of_others_stay(self, services):
        services.builder.publish(make_release(1), "run-1")
        services.builder.publish(make_release(1, app="shoppe"), "run-1")
        assert services.inventory.repositories("shop") == ["shop/release"]

        services.inventory.remove_images("shop")

        assert services.inventory.repositories("shop") == []
        assert services.inventory.repositories("shoppe") == ["shoppe/release"]


class TestbedsContract:
    """Besides, a subclass brings `suites`, an application with two of them.

    `good` passes with at least one test, and prints its variable TOKEN, which is secret; of `bad` the test `adds up`
    fails.
    """

    __test__ = False  # its name begins as those of tests do

    @pytest.fixture
    def run(self, services, suites, tmp_path):
        def run_cell(name):
            [cell] = [cell for cell in expand(suites) if cell.suite == name]
            where = {"source": tmp_path, "log": tmp_path / "log.txt", "report_dir": tmp_path / "reports"}
            secrets = {"TOKEN": SecretStr(TOKEN)}
            return services.testbeds.run_cell(suites, cell, {}, run="run-1", **where, secrets=secrets)

        return run_cell

    def test_a_cell_that_passes_counts_its_tests_and_nothing_of_it_is_left(self, services, run, tmp_path):
        result = run("good")

        kept = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
        assert (result.outcome, result.failing, result.problem) == ("passed", (), "")
        assert result.tests >= 1
        assert (tmp_path / "log.txt").read_text()
        assert TOKEN not in "".join([*kept, repr(result)])
        assert services.orphans.find(set()) == []

    def test_a_cell_that_fails_names_its_failing_tests(self, services, run):
        result = run("bad")

        assert (result.outcome, result.failing) == ("failed", ("adds up",))
        assert services.orphans.find(set()) == []
