"""The same load and the same faults with what people use without Headway: `python -m bench.peer --times 3`.

Neither has a verdict over live traffic; what is measured is what users see until somebody else ends the fault.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
import yaml
from docker.models.containers import Container

from bench.ending import REFUSED, Ending
from bench.faults import chosen, measure
from bench.images import Images
from bench.keeping import end_by_signal
from bench.nginx import Nginx
from bench.place import START_SECONDS, free_port
from bench.trials import Shares
from cli.output import console
from delivery.docker.engine.client import connect
from delivery.docker.engine.sweep import remove_labelled
from delivery.docker.images.build_client import find_compose
from delivery.errors import HeadwayError
from delivery.home import Home
from delivery.platform.engine import ensure_engine
from delivery.programs.run import run

LABEL_BENCH, LABEL_RELEASE = "headway.bench", "headway.bench.release"
STOP_SECONDS = 10
PAUSE_SECONDS = 2.0  # after the switch, before the old release is stopped
NAMES = {"compose": "docker compose up -d", "nginx": "nginx, reload"}


def main(
    times: Annotated[int, typer.Option(min=1, help="How often each fault.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help="Faults whose name has this in it; may be repeated.")] = None,
    peer: Annotated[list[str] | None, typer.Option(help="compose or nginx; both when none is named.")] = None,
) -> None:
    """Release what is at fault under load, without Headway."""
    end_by_signal()
    ensure_engine()
    try:
        for name in peer or NAMES:
            with new_bench() as bench:
                side = Compose(bench) if name == "compose" else BlueGreen(bench)
                measure(side, chosen(only), times)
    except HeadwayError as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(error.exit_code) from None


@dataclass(frozen=True)
class Bench:
    """What a peer works with: images, a folder, a port, and a mark on everything it makes."""

    images: Images
    folder: Path
    port: int
    mark: str

    @property
    def labels(self) -> Mapping[str, str]:
        """What its containers and networks carry."""
        return {LABEL_BENCH: self.mark}

    def containers(self, number: int | None = None) -> list[Container]:
        """Return its containers, or those of one release."""
        wanted = [f"{LABEL_BENCH}={self.mark}", *([f"{LABEL_RELEASE}={number}"] if number is not None else [])]
        return list(connect().containers.list(filters={"label": wanted}, ignore_removed=True))


@contextmanager
def new_bench() -> Iterator[Bench]:
    """Yield a bench and remove everything that was made on it."""
    mark = uuid4().hex[:6]
    images = Images(connect(), f"headway-bench-{mark}/web", Home.current(), pushed=False)
    with tempfile.TemporaryDirectory(prefix="headway-bench-") as folder:
        bench = Bench(images, Path(folder), free_port(), mark)
        try:
            yield bench
        finally:
            remove_labelled(connect(), bench.labels)
            images.remove()


@dataclass
class Switch:
    """The share of a new release where there is nothing between none and all."""

    at: float | None = None

    def now(self) -> float:
        """Return percent."""
        return 0.0 if self.at is None else 100.0

    def began(self) -> float | None:
        """Return when it got everything."""
        return self.at

    def ended(self) -> float | None:
        """Nobody takes it back."""
        return None


class Peer:
    """What both ways have in common: a release is its image's kind and number."""

    instances = 1
    has_verdict = False

    def __init__(self, bench: Bench) -> None:
        self.bench, self.switch = bench, Switch()

    @property
    def url(self) -> str:
        """Where users ask."""
        return f"http://127.0.0.1:{self.bench.port}"

    def prepare(self, kind: str, number: int) -> tuple[str, int]:
        """Return a release."""
        self.bench.images.name(kind, number)
        return kind, number

    def containers(self, release: tuple[str, int]) -> list[Container]:
        """Return the containers of a release."""
        return self.bench.containers(release[1])

    def things(self) -> set[str]:
        """Return the names of all containers."""
        return {str(container.name) for container in self.bench.containers()}

    @contextmanager
    def shares(self) -> Iterator[Shares]:
        """Watch the switch to the next release."""
        self.switch = Switch()
        yield self.switch


class Compose(Peer):
    """One service in a Compose file; a release is `docker compose up -d` with another image."""

    name = NAMES["compose"]

    def put_live(self, release: tuple[str, int]) -> Ending:
        """Replace the container."""
        began = time.time()
        file = self.bench.folder / "compose.yaml"
        file.write_text(yaml.safe_dump(self._document(*release)))
        argv = [*find_compose().program, "--project-name", f"headway-bench-{self.bench.mark}", "--file", str(file)]
        run([*argv, "up", "--detach"], timeout_seconds=120)
        self.switch.at = time.time()
        return Ending.of(None, began=began, ended=time.time())

    def _document(self, kind: str, number: int) -> Mapping[str, object]:
        service = {
            "image": self.bench.images.name(kind, number),
            "init": True,
            "restart": "unless-stopped",
            "stop_grace_period": f"{STOP_SECONDS}s",
            "ports": [f"127.0.0.1:{self.bench.port}:8000"],
            "labels": {**self.bench.labels, LABEL_RELEASE: str(number)},
        }
        network = {"labels": dict(self.bench.labels)}
        return {"services": {"web": service}, "networks": {"default": network}}


class BlueGreen(Peer):
    """Two instances behind nginx; a release starts two others, waits until they are well, and reloads nginx."""

    name = NAMES["nginx"]
    instances = 2

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._turns = itertools.count(1)
        self.nginx = Nginx(f"headway-bench-{bench.mark}", bench.port, bench.labels, bench.images.home)

    def put_live(self, release: tuple[str, int]) -> Ending:
        """Start, wait, switch, pause, and stop what ran before; what does not become well is removed."""
        began, old = time.time(), [one for one in self.bench.containers() if LABEL_RELEASE in one.labels]
        new = [self._start(*release) for _ in range(self.instances)]
        if not self._become_well(new, time.monotonic() + START_SECONDS):
            self._stop(new)
            return Ending(REFUSED, f"not healthy within {START_SECONDS} s", began, time.time())
        self.nginx.route_to(new)
        self.switch.at = time.time()
        time.sleep(PAUSE_SECONDS)
        self._stop(old)
        return Ending.of(None, began=began, ended=time.time())

    def _start(self, kind: str, number: int) -> Container:
        container = connect().containers.create(
            self.bench.images.name(kind, number),
            name=f"{self.nginx.name}-web-{next(self._turns)}",
            init=True,
            network=self.nginx.name,
            labels={**self.bench.labels, LABEL_RELEASE: str(number)},
            restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
        )
        container.start()
        return container

    def _become_well(self, containers: list[Container], deadline: float) -> bool:
        while not all(self.nginx.finds_well(container) for container in containers):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def _stop(self, containers: list[Container]) -> None:
        for container in containers:
            container.stop(timeout=STOP_SECONDS)
            container.remove(force=True)


if __name__ == "__main__":
    typer.run(main)
