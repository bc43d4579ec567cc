"""What the parts of `headway.yaml` say of each other: names exist, nothing is taken twice, nothing goes in circles."""

from collections.abc import Collection, Iterator, Mapping

from delivery.spec.github import PHASES
from delivery.spec.keys import Keys
from delivery.spec.target import TargetSettings
from delivery.spec.variables import DATABASE_FACTS, INFRASTRUCTURE, placeholders


def problems_of(app: Keys) -> list[str]:
    """Return what does not fit together, one line each."""
    checks = (
        _unknown_names,
        _unknown_in_environments,
        _unknown_in_hooks,
        _unknown_in_repository,
        _unknown_placeholders,
        _taken_twice,
        _ours,
        _without_way,
        _circles,
        _targets,
    )
    return [line for check in checks for line in check(app)]


def _unknown_names(app: Keys) -> Iterator[str]:
    beside = [*app.services, *app.backing]
    for name, service in app.services.items():
        if service.image is None:
            yield from _known(f"services.{name}.image", [name], app.images)
        yield from _known(f"services.{name}.needs", service.needs, beside)
    for name, backing in app.backing.items():
        yield from _known(f"backing.{name}.needs", backing.needs, app.backing)
    for name, suite in app.suites.items():
        yield from _known(f"suites.{name}.services", suite.services, beside)
        if suite.database and not app.database:
            yield f"suites.{name}.database: there is no `database` in the file"
        if suite.compose and (suite.services or suite.database):
            beside_it = "services" if suite.services else "database"
            yield f"suites.{name}.{beside_it}: what runs beside the suite stands in its Compose file"
    if app.database and app.database.migrate:
        rehearsing = app.database.migrate.rehearsal.suites
        yield from _known("database.migrate.rehearsal.suites", rehearsing, app.suites)
        for name in rehearsing:
            if name in app.suites and app.suites[name].compose:
                yield f"database.migrate.rehearsal.suites: {name} brings an environment of its own (compose)"


def _unknown_in_environments(app: Keys) -> Iterator[str]:
    for name, environment in app.environments.items():
        if environment.after not in (None, name):
            others = [other for other in app.environments if other != name]
            yield from _known(f"environments.{name}.after", [str(environment.after)], others)
        if environment.refresh:
            others = [other for other in app.environments if other != name]
            yield from _known(f"environments.{name}.refresh.from", [environment.refresh.source], others)
            if not app.database:
                yield f"environments.{name}.refresh: there is no `database` in the file"
        yield from _known(f"environments.{name}.acceptance", environment.acceptance, app.suites)
        drilling = f"environments.{name}.backups.drill.suites"
        yield from _known(drilling, environment.backups.drill.suites, app.suites)
        run_here = {f"environments.{name}.acceptance": environment.acceptance}
        run_here[drilling] = environment.backups.drill.suites
        for number, check in enumerate(environment.checks):
            where = f"environments.{name}.checks[{number}]"
            run_here[f"{where}.suite"] = (check.suite,) if check.suite else ()
            yield from _known(f"{where}.suite", run_here[f"{where}.suite"], app.suites)
            if check.http and check.http.service:
                answering = [known for known, service in app.services.items() if service.port]
                yield from _known(f"{where}.http.service", [check.http.service], answering)
        for where, suites in run_here.items():
            for suite_name in suites:
                if suite_name in app.suites and app.suites[suite_name].compose:
                    yield f"{where}: {suite_name} brings an environment of its own (compose)"


def _unknown_in_hooks(app: Keys) -> Iterator[str]:
    for key, hook in app.hooks.keyed():
        yield from _known(f"{key}.environments", hook.environments, app.environments)


def _unknown_in_repository(app: Keys) -> Iterator[str]:
    if app.repository:
        for key in ("branches", "tags"):
            for pattern, environment in getattr(app.repository, key).items():
                yield from _known(f"repository.{key}.{pattern}", [environment], app.environments)


def _unknown_placeholders(app: Keys) -> Iterator[str]:
    facts = DATABASE_FACTS if app.database else ()
    places = {f"services.{name}.env": (service.env, facts) for name, service in app.services.items()}
    places |= {f"environments.{name}.env": (one.env, facts) for name, one in app.environments.items()}
    stands = {f"environments.{name}.env" for name, one in app.environments.items() if one.infrastructure}
    places |= {f"backing.{name}.env": (one.env, ()) for name, one in app.backing.items()}
    for name, suite in app.suites.items():
        own = facts if suite.database or suite.services else ()
        places[f"suites.{name}.env"] = (suite.env, (*suite.axes, *own))
    if app.database and app.database.migrate:
        places["database.migrate.env"] = (app.database.migrate.env, facts)
    places |= {f"{key}.env": (hook.env, facts) for key, hook in app.hooks.keyed()}
    for where, (env, allowed) in places.items():
        for variable, text in env.items():
            for name in placeholders(text):
                if name not in allowed and not (where in stands and name.startswith(INFRASTRUCTURE)):
                    shown = ", ".join(f"${{{one}}}" for one in allowed) or "none here"
                    yield f"{where}.{variable}: found ${{{name}}}; allowed: {shown}"


def _taken_twice(app: Keys) -> Iterator[str]:
    for both in sorted(set(app.services) & set(app.backing)):
        yield f"backing.{both}: the name is used under services already"
    routes = [way.rstrip("/") for service in app.services.values() for way in service.ways]
    for way in _doubles(routes):
        yield f"services: the route {way if '/' in way else f'{way}/'} is given more than once"


def _ours(app: Keys) -> Iterator[str]:
    """Yield names under which an environment's containers find what is Headway's own, and folders given twice."""
    taken = {f"services.{name}": name for name in app.services} | {f"backing.{name}": name for name in app.backing}
    for where, name in taken.items():
        if name == "database" and app.database:
            yield f"{where}: the name is that of the application's `database`; call it otherwise"
        elif name == "router" and where.startswith("backing."):
            yield f"{where}: the name is that of the environment's router; call it otherwise"
    for name in PHASES & app.environments.keys() if app.github else ():
        yield f"environments.{name}: the name is that of a phase in GitHub's statuses; call it otherwise"
    for name, service in app.services.items():
        folders = [folder.rstrip("/") for folder in service.volumes.values()]
        for folder in _doubles(folders):
            yield f"services.{name}.volumes: {folder} is given more than once"


def _without_way(app: Keys) -> Iterator[str]:
    """Yield what keeps requests from reaching a service: a release is judged by its requests."""
    if app.services and not any(service.port for service in app.services.values()):
        yield "services: none has a `port`; at least one must take requests, because a release is judged by them"
    elif app.services and not app.routes():
        yield "services: several have a port; say with `routes` which paths go where"
    for name, service in app.services.items():
        if service.routes and not service.port:
            yield f"services.{name}.port: is needed, because routes go to it"
        if service.hosts and not service.port:
            yield f"services.{name}.port: is needed, because hosts lead to it"
        if not service.port and (service.checked.path or service.checked.host):
            yield f"services.{name}.health: there is no port to ask; allowed: none, or settings with image_check alone"


def _circles(app: Keys) -> Iterator[str]:
    needs = {name: service.needs for name, service in app.services.items()}
    needs |= {name: backing.needs for name, backing in app.backing.items()}
    if circle := _circle(needs):
        section = "services" if circle[0] in app.services else "backing"
        yield f"{section}.{circle[0]}.needs: a circle: {' → '.join(circle)}"
    after = {name: (one.after,) if one.after else () for name, one in app.environments.items()}
    if circle := _circle(after):
        yield f"environments.{circle[0]}.after: a circle: {' → '.join(circle)}"


def _targets(app: Keys) -> Iterator[str]:
    """Yield what each environment's target, which knows what it can do, finds wrong with it."""
    before: dict[str, TargetSettings] = {}
    for name, environment in app.environments.items():
        target = environment.target
        for problem in (
            *target.problems(before, environment.shift, app.services),
            *target.backing_problems(app.backing),
        ):
            yield f"environments.{name}.{problem}"
        before[name] = environment.target


def _known(where: str, found: Collection[str], allowed: Collection[str]) -> Iterator[str]:
    for name in found:
        if name not in allowed:
            yield f"{where}: no such name (found {name}); allowed: {', '.join(allowed) or 'none'}"


def _doubles(values: list[str]) -> list[str]:
    return sorted({value for value in values if values.count(value) > 1})


def _circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Return one circle of `graph` with its first name repeated at the end, or nothing."""

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        for following in graph.get(name, ()):
            if found := walk(following, [*path, name]):
                return found
        return []

    for start in graph:
        if found := walk(start, []):
            return found
    return []
